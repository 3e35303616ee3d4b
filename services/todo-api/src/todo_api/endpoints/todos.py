"""`/api/todos` and `/api/todos/{todo_id}`."""

import re
from typing import Annotated, Any, NoReturn
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel

from service_kit.errors import PROBLEM_MEDIA_TYPE, Problem
from todo_api.access_token import AccessToken, AccessTokenVerifier
from todo_api.endpoints.bearer import RequireScope, ScopeNames
from todo_api.endpoints.conditions import etag, versions_wanted
from todo_api.endpoints.cursors import todo_before
from todo_api.endpoints.documents import (
    ListTodos,
    NewTodo,
    PageDocument,
    TodoDocument,
    TodoPatch,
    read_json,
)
from todo_api.todo_store.store import TodoStore
from todo_api.todos import Todo, TodoNotFound

COLLECTION = "/api/todos"
ITEM = "/api/todos/{todo_id}"

# Anything but the form we hand out cannot name a todo: 404 rather than 422, so not typed as UUID.
TodoId = Annotated[str, Path(json_schema_extra={"format": "uuid"})]

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": "A problem document (RFC 9457)",
        "content": {PROBLEM_MEDIA_TYPE: {"schema": {"type": "object"}}},
    }
    for status in ("4XX", "503")
}
_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def todo_routes(store: TodoStore, verifier: AccessTokenVerifier, scopes: ScopeNames) -> APIRouter:
    """Every route of the API. The owner of what a route touches is the token's subject."""
    router = APIRouter(responses=_PROBLEMS)
    reader = Depends(RequireScope(verifier, scopes.read))
    writer = Depends(RequireScope(verifier, scopes.write))

    @router.get(COLLECTION, response_model=PageDocument)
    async def list_todos(
        caller: Annotated[AccessToken, reader], query: Annotated[ListTodos, Query()]
    ) -> Response:
        """Your todos, oldest first; follow `next_cursor` until it is null."""
        page = await store.page(
            caller.subject,
            after=None if query.cursor is None else todo_before(query.cursor),
            limit=query.limit,
            completed=None if query.completed is None else query.completed == "true",
        )
        return _json(PageDocument.of(page))

    @router.post(
        COLLECTION, status_code=201, response_model=TodoDocument, openapi_extra=_body(NewTodo)
    )
    async def create_todo(caller: Annotated[AccessToken, writer], request: Request) -> Response:
        """Add a todo."""
        new_todo = await read_json(request, NewTodo)
        todo = await store.create(caller.subject, new_todo.text)
        return _todo(todo, 201, {"Location": f"{COLLECTION}/{todo.id}"})

    @router.get(ITEM, response_model=TodoDocument)
    async def get_todo(caller: Annotated[AccessToken, reader], todo_id: TodoId) -> Response:
        """One todo, with the entity tag that If-Match takes."""
        return _todo(await store.get(caller.subject, _known_id(todo_id)))

    @router.patch(ITEM, response_model=TodoDocument, openapi_extra=_body(TodoPatch))
    async def change_todo(
        caller: Annotated[AccessToken, writer], request: Request, todo_id: TodoId
    ) -> Response:
        """Change the text, the status or both; with If-Match only the version you have seen."""
        patch = await read_json(request, TodoPatch)
        versions = versions_wanted(request)
        todo = await store.update(
            caller.subject, _known_id(todo_id), patch.change(), versions=versions
        )
        return _todo(todo)

    @router.delete(ITEM, status_code=204)
    async def delete_todo(
        caller: Annotated[AccessToken, writer], request: Request, todo_id: TodoId
    ) -> Response:
        """Delete a todo; with If-Match only the version you have seen."""
        versions = versions_wanted(request)
        await store.delete(caller.subject, _known_id(todo_id), versions=versions)
        return Response(status_code=204)

    _refuse_other_methods(router, COLLECTION, "GET, POST")
    _refuse_other_methods(router, ITEM, "DELETE, GET, PATCH")
    return router


def _known_id(todo_id: str) -> UUID:
    if not _CANONICAL_UUID.fullmatch(todo_id):
        raise TodoNotFound
    return UUID(todo_id)


def _todo(todo: Todo, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return _json(TodoDocument.of(todo), status, {"ETag": etag(todo), **(headers or {})})


def _json(
    document: BaseModel, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        document.model_dump_json(),
        status,
        {"Cache-Control": "private, no-cache", **(headers or {})},
        "application/json",
    )


def _body(document: type[BaseModel]) -> dict[str, Any]:
    """Describe in OpenAPI the body that the endpoint reads by hand."""
    schema = document.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _refuse_other_methods(router: APIRouter, path: str, allowed: str) -> None:
    """Answer 405 with all methods of the path: the framework names those of one route only."""

    class OtherMethods:
        async def __call__(self, *_asgi: Any) -> NoReturn:
            raise Problem(
                405,
                "method-not-allowed",
                f"this resource takes {allowed}",
                headers={"Allow": allowed},
            )

    router.add_route(path, OtherMethods(), include_in_schema=False)
