"""What a valid token may do."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from todo_api.endpoints.bearer import ScopeNames

PROBLEM = "application/problem+json"

OpenClient = Callable[[str | None], httpx.AsyncClient]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Scopes are the same on both databases."""
    return sqlite_url


@pytest.mark.standard("RFC 6750 3.1 insufficient_scope", "RFC 9068 2.2.3")
@pytest.mark.parametrize(
    "scope",
    [
        ...,
        "",
        "openid",
        "todo_api:readonly todo_api:writer",
        "xtodo_api:read,todo_api:write",
        "TODO_API:READ TODO_API:WRITE",
        "todo_api:read\ttodo_api:write",
        [],
        ["todo_api:read todo_api:write"],
        ["todo_api:*"],
    ],
)
async def test_a_scope_counts_only_as_an_exact_member(
    issuer: Any, open_client: OpenClient, scope: Any
) -> None:
    client = open_client(issuer.token(scope=scope))
    for response, needed in (
        (await client.get("/api/todos"), "todo_api:read"),
        (await client.post("/api/todos", json={"text": "buy milk"}), "todo_api:write"),
    ):
        assert response.status_code == 403
        assert response.headers["content-type"] == PROBLEM
        assert response.headers["www-authenticate"] == (
            f'Bearer realm="todo-api", error="insufficient_scope", scope="{needed}"'
        )


@pytest.mark.parametrize("scopes", [ScopeNames("tasks.read", "tasks.write")])
async def test_the_scopes_can_have_other_names_at_pingone(
    issuer: Any, open_client: OpenClient, scopes: ScopeNames
) -> None:
    client = open_client(issuer.token(scope=f"{scopes.read} {scopes.write}"))
    assert (await client.post("/api/todos", json={"text": "buy milk"})).status_code == 201
    assert (await client.get("/api/todos")).status_code == 200
    stranger = open_client(issuer.token(scope="todo_api:read todo_api:write"))
    assert (await stranger.get("/api/todos")).status_code == 403


@pytest.mark.standard("RFC 9068 2.2.3")
async def test_reading_needs_the_read_scope_and_everything_else_the_write_scope(
    issuer: Any, open_client: OpenClient
) -> None:
    reader = open_client(issuer.token(scope="todo_api:read"))
    writer = open_client(issuer.token(scope="todo_api:write"))
    created = await writer.post("/api/todos", json={"text": "buy milk"})
    path = created.headers["location"]
    assert created.status_code == 201
    assert (await reader.get("/api/todos")).status_code == 200
    assert (await reader.get(path)).status_code == 200
    for response in (
        await writer.get("/api/todos"),
        await writer.get(path),
        await reader.post("/api/todos", json={"text": "buy milk"}),
        await reader.patch(path, json={"completed": True}),
        await reader.delete(path),
    ):
        assert response.status_code == 403
    assert (await writer.patch(path, json={"completed": True})).status_code == 200
    assert (await writer.delete(path)).status_code == 204
