"""The four tools that work on the user's todos."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import InputRequiredResult
from pydantic import BaseModel, BeforeValidator, Field

from mcp_server.handle_verifier import Caller
from mcp_server.todo_client import Todo, TodoApi, TodoPage
from mcp_server.tool_scopes import TOOL_SCOPES
from mcp_server.tools.api_calls import CountRefusal, authorized_caller, call_api
from mcp_server.tools.confirmation import DeletionQuestion, must_ask

MAX_PAGE = 100
DEFAULT_PAGE = 50
MAX_TEXT = 1000


def _as_integer(value: Any) -> Any:
    """An integer is any number without a fraction (JSON Schema 2020-12): models send 10.0, too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Strict: a model that sends "no" for a boolean is told so rather than guessed at.
Completed = Annotated[
    bool, Field(strict=True, description="true for done, false for not done; a JSON boolean.")
]
CompletedFilter = Annotated[
    bool | None,
    Field(strict=True, description="true: only done; false: only open; absent: all."),
]
Cursor = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=1024,
        description="The next_cursor of the page before; absent for the first page.",
    ),
]
Limit = Annotated[
    int,
    Field(
        strict=True,
        ge=1,
        le=MAX_PAGE,
        description=f"How many todos at most: a whole number from 1 to {MAX_PAGE}.",
    ),
    BeforeValidator(_as_integer),
]
Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_TEXT,
        description=f"What is to be done, from 1 to {MAX_TEXT} characters.",
    ),
]
TodoId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="The id of a todo exactly as list_todos or create_todo returned it.",
    ),
]


class Deletion(BaseModel):
    """What became of a deletion."""

    deleted: bool = Field(description="false: the user was asked and said no; it is still there.")
    deleted_id: str | None = Field(description="The id of the todo that is gone, or null.")


class TodoTools:
    """The tools' functions; each answers for the user whose handle came with the request."""

    def __init__(self, todo_api: TodoApi, count_refusal: CountRefusal) -> None:
        self._todo_api = todo_api
        self._count_refusal = count_refusal

    async def list_todos(
        self,
        ctx: Context[Any, Any],
        completed: CompletedFilter = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE,
    ) -> TodoPage:
        """List the user's todos, one page at a time. Start here: the other tools take ids."""
        return await call_api(
            authorized_caller(ctx, "list_todos"),
            lambda token: self._todo_api.list_todos(
                token, completed=completed, cursor=cursor, limit=limit
            ),
            self._count_refusal,
        )

    async def create_todo(self, ctx: Context[Any, Any], text: Text) -> Todo:
        """Add one todo to the user's list. Calling it twice adds it twice."""
        return await call_api(
            authorized_caller(ctx, "create_todo"),
            lambda token: self._todo_api.create_todo(token, text=text),
            self._count_refusal,
        )

    async def set_todo_status(
        self, ctx: Context[Any, Any], todo_id: TodoId, completed: Completed
    ) -> Todo:
        """Mark one todo as done or as not done."""
        return await call_api(
            authorized_caller(ctx, "set_todo_status"),
            lambda token: self._todo_api.set_todo_status(
                token, todo_id=todo_id, completed=completed
            ),
            self._count_refusal,
        )

    async def delete_todo(
        self, ctx: Context[Any, Any], todo_id: TodoId
    ) -> Deletion | InputRequiredResult:
        """Delete one todo for good; it cannot be brought back. Ask the user first.

        If deleted is false, the user was asked once more and said no: do not try again.
        """
        caller = authorized_caller(ctx, "delete_todo")
        if must_ask(ctx):
            question = DeletionQuestion(todo_id, await self._readable_text(caller, todo_id))
            match question.decision(ctx):
                case None:
                    return question.ask(ctx)
                case False:
                    return Deletion(deleted=False, deleted_id=None)
        await call_api(
            caller,
            lambda token: self._todo_api.delete_todo(token, todo_id=todo_id),
            self._count_refusal,
        )
        return Deletion(deleted=True, deleted_id=todo_id)

    async def _readable_text(self, caller: Caller, todo_id: str) -> str | None:
        """Return the text of a todo; None if the user did not let this client read todos."""
        if not TOOL_SCOPES["list_todos"] <= caller.handle.scopes:
            return None
        todo = await call_api(
            caller,
            lambda token: self._todo_api.get_todo(token, todo_id=todo_id),
            self._count_refusal,
        )
        return todo.text
