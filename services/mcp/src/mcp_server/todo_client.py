"""The client of todo-api: its contract, its refusals as types, and the calls themselves.

TodoApiError
├── DownstreamTokenRefused   401: the token is not accepted (any more)
├── DownstreamScopeRefused   403: the token lacks a scope
├── TodoNotFound             404
├── TodoConflict             409: a ceiling is reached, or the todo changed meanwhile
├── TodoInvalid              400, 422: the API does not accept a value
└── TodoApiUnavailable       anything else, a time-out, an answer that is not the contract's
"""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from yarl import URL

from service_kit.http_client import FetchFailed, parse_json_object, read_bounded

MAX_ANSWER_BYTES = 1024 * 1024
MAX_DETAIL_CHARACTERS = 300


class TodoApiError(Exception):
    """The API did not do what it was asked. `detail` is its public text, bounded, maybe empty."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class DownstreamTokenRefused(TodoApiError):
    """401: the downstream token is not accepted."""


class DownstreamScopeRefused(TodoApiError):
    """403: the downstream token lacks a scope."""


class TodoNotFound(TodoApiError):
    """404: there is no such todo, or it is someone else's."""


class TodoConflict(TodoApiError):
    """409: the request conflicts with what is stored, such as the ceiling of todos."""


class TodoInvalid(TodoApiError):
    """400 or 422: the API does not accept a value."""


class TodoApiUnavailable(TodoApiError):
    """Nothing can be said about the todos: an outage, a refusal to serve, a broken answer."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Todo(_Answer):
    """One todo of the signed-in user."""

    id: str = Field(description="Identifies the todo in set_todo_status and delete_todo.")
    text: str = Field(description="What is to be done, in the user's words.")
    completed: bool = Field(description="Whether it is done.")
    created_at: AwareDatetime
    updated_at: AwareDatetime


class TodoPage(_Answer):
    """One page of todos."""

    todos: list[Todo]
    next_cursor: str | None = Field(
        description="Pass it to list_todos as cursor for the next page; null on the last page."
    )


AnswerT = TypeVar("AnswerT", bound=_Answer)


class TodoApi(Protocol):
    """The calls the tools make; each raises a TodoApiError."""

    async def list_todos(
        self, access_token: str, *, completed: bool | None, cursor: str | None, limit: int
    ) -> TodoPage:
        """Return one page, of either completion if `completed` is None."""

    async def create_todo(self, access_token: str, *, text: str) -> Todo:
        """Store a new todo."""

    async def get_todo(self, access_token: str, *, todo_id: str) -> Todo:
        """Return one todo."""

    async def set_todo_status(self, access_token: str, *, todo_id: str, completed: bool) -> Todo:
        """Mark a todo as done or not done."""

    async def delete_todo(self, access_token: str, *, todo_id: str) -> None:
        """Delete a todo for good."""


class AiohttpTodoApi:
    """The TodoApi of production: no redirects, bounded answers, nothing retried."""

    def __init__(self, session: aiohttp.ClientSession, *, api_url: str) -> None:
        self._session = session
        self._todos_url = f"{api_url}/api/todos"

    async def list_todos(
        self, access_token: str, *, completed: bool | None, cursor: str | None, limit: int
    ) -> TodoPage:
        """Return one page, of either completion if `completed` is None."""
        query = {"limit": str(limit)}
        if cursor is not None:
            query["cursor"] = cursor
        if completed is not None:
            query["completed"] = "true" if completed else "false"
        url = URL(self._todos_url, encoded=True).with_query(query)
        return _read(TodoPage, url, await self._call("GET", url, access_token))

    async def create_todo(self, access_token: str, *, text: str) -> Todo:
        """Store a new todo."""
        url = URL(self._todos_url, encoded=True)
        return _read(Todo, url, await self._call("POST", url, access_token, {"text": text}))

    async def get_todo(self, access_token: str, *, todo_id: str) -> Todo:
        """Return one todo."""
        url = self._todo_url(todo_id)
        return _read(Todo, url, await self._call("GET", url, access_token))

    async def set_todo_status(self, access_token: str, *, todo_id: str, completed: bool) -> Todo:
        """Mark a todo as done or not done."""
        url = self._todo_url(todo_id)
        change = {"completed": completed}
        return _read(Todo, url, await self._call("PATCH", url, access_token, change))

    async def delete_todo(self, access_token: str, *, todo_id: str) -> None:
        """Delete a todo for good."""
        await self._call("DELETE", self._todo_url(todo_id), access_token)

    def _todo_url(self, todo_id: str) -> URL:
        # Dots survive encoding, and as a whole segment they would climb to another resource.
        if todo_id in {"", ".", ".."}:
            raise TodoNotFound
        return URL(f"{self._todos_url}/{quote(todo_id, safe='')}", encoded=True)

    async def _call(
        self, method: str, url: URL, access_token: str, document: Mapping[str, Any] | None = None
    ) -> bytes:
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        try:
            async with self._session.request(
                method, url, json=document, headers=headers, allow_redirects=False
            ) as response:
                body = await read_bounded(response, MAX_ANSWER_BYTES)
                status = response.status
        except FetchFailed as error:
            raise TodoApiUnavailable(str(error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TodoApiUnavailable(type(error).__name__) from error
        if not 200 <= status < 300:
            raise _REFUSALS.get(status, TodoApiUnavailable)(_detail(body))
        return body


_REFUSALS: Mapping[int, type[TodoApiError]] = {
    400: TodoInvalid,
    401: DownstreamTokenRefused,
    403: DownstreamScopeRefused,
    404: TodoNotFound,
    409: TodoConflict,
    422: TodoInvalid,
}


def _read(model: type[AnswerT], url: URL, body: bytes) -> AnswerT:
    try:
        return model.model_validate(parse_json_object(str(url.origin()), body))
    except (FetchFailed, ValidationError) as error:
        raise TodoApiUnavailable(f"{url.origin()} answered something unexpected") from error


def _detail(body: bytes) -> str:
    """Return the `detail` of a problem document (RFC 9457 section 3.1.4), or nothing."""
    try:
        detail = parse_json_object("", body).get("detail")
    except FetchFailed:
        return ""
    return detail[:MAX_DETAIL_CHARACTERS] if isinstance(detail, str) else ""
