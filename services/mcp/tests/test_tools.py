"""What an MCP client sees of the tools, in both protocol eras, through the SDK's own client."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World


def text_of(result: Any) -> str:
    return "\n".join(block.text for block in result.content)


@pytest.mark.standard(
    "MCP 2026-07-28 tools: structured output", "MCP 2025-11-25 lifecycle: whole path"
)
async def test_a_todo_is_created_listed_finished_and_deleted(world: "World", mode: str) -> None:
    async with world.running() as door, door.client(world.sign_in(), mode) as client:
        created = await client.call_tool("create_todo", {"text": "buy milk"})
        todo_id = created.structured_content["id"]
        finished = await client.call_tool(
            "set_todo_status", {"todo_id": todo_id, "completed": True}
        )
        done = await client.call_tool("list_todos", {"completed": True})
        deleted = await client.call_tool("delete_todo", {"todo_id": todo_id})
        rest = await client.call_tool("list_todos", {})

    assert created.structured_content["text"] == "buy milk"
    assert json.loads(text_of(created)) == created.structured_content
    assert finished.structured_content["completed"] is True
    assert [todo["id"] for todo in done.structured_content["todos"]] == [todo_id]
    assert deleted.structured_content == {"deleted": True, "deleted_id": todo_id}
    assert rest.structured_content == {"todos": [], "next_cursor": None}


@pytest.mark.standard("MCP 2026-07-28 authorization: no passthrough")
async def test_the_api_is_called_with_the_downstream_token_and_never_with_the_handle(
    world: "World", mode: str
) -> None:
    handle = world.sign_in()
    async with world.running() as door, door.client(handle, mode) as client:
        await client.call_tool("list_todos", {"completed": False, "cursor": "c1", "limit": 7})

    token = world.auth.answers[handle]["downstream_token"]["access_token"]
    assert world.todo_api.calls == [("list", token, False, "c1", 7)]


@pytest.mark.standard("MCP 2026-07-28 tools: failures", "MCP 2025-11-25 tools: input errors")
@pytest.mark.parametrize("limit", [1.0, 10.0, 1e2])
async def test_a_number_without_a_fraction_is_an_integer_however_it_is_written(
    world: "World", mode: str, limit: float
) -> None:
    async with world.running() as door, door.client(world.sign_in(), mode) as client:
        result = await client.call_tool("list_todos", {"limit": limit})

    assert result.is_error is not True
    assert world.todo_api.calls[0][-1] == limit
    assert type(world.todo_api.calls[0][-1]) is int


@pytest.mark.parametrize("cursor", ["null", "[]", "{}", '{"id":1}', "true", "1", '"x"'])
async def test_a_text_that_looks_like_json_is_that_text(
    world: "World", mode: str, cursor: str
) -> None:
    async with world.running() as door, door.client(world.sign_in(), mode) as client:
        result = await client.call_tool("list_todos", {"cursor": cursor})

    assert result.is_error is not True
    assert world.todo_api.calls[0][3] == cursor


@pytest.mark.standard(
    "MCP 2026-07-28 authorization: no passthrough", "MCP 2026-07-28 tools: sanitized output"
)
async def test_who_am_i_shows_both_tokens_contents_and_neither_token(
    world: "World", mode: str
) -> None:
    handle = world.sign_in()
    async with world.running() as door, door.client(handle, mode) as client:
        result = await client.call_tool("who_am_i", {})

    token = world.auth.answers[handle]["downstream_token"]["access_token"]
    assert result.structured_content == {
        "subject": "alice",
        "name": "Alice Example",
        "client_id": "client-1",
        "scopes": ["todo_api:read", "todo_api:write"],
        "downstream_token": {
            "iss": "https://auth.pingone.eu/env/as",
            "aud": ["https://todo.api.com"],
            "scope": ["todo_api:read", "todo_api:write"],
            "exp": 1_800_003_600,
        },
    }
    assert token not in result.model_dump_json()
    assert handle not in result.model_dump_json()


async def test_who_am_i_takes_an_opaque_downstream_token(world: "World") -> None:
    token = {**world.auth.answers, "access_token": "opaque", "token_type": "Bearer"}
    token |= {"expires_at": 1_800_003_600, "audience": "https://todo.api.com", "scope": ""}
    handle = world.sign_in(downstream_token=token)
    async with world.running() as door, door.client(handle) as client:
        result = await client.call_tool("who_am_i", {})

    assert result.structured_content["downstream_token"]["iss"] is None


async def test_who_am_i_reveals_the_token_in_development_when_told_to(world: "World") -> None:
    world.variables["reveal_downstream_token"] = True
    handle = world.sign_in()
    async with world.running() as door, door.client(handle) as client:
        result = await client.call_tool("who_am_i", {})

    token = world.auth.answers[handle]["downstream_token"]["access_token"]
    assert result.structured_content["downstream_access_token"] == token


@pytest.mark.standard("MCP 2026-07-28 tools: access control")
async def test_two_users_calling_at_once_never_see_each_other(world: "World", mode: str) -> None:
    users = {}
    for letter, name in (("a", "alice"), ("b", "bob")):
        token = {
            "access_token": f"token-of-{name}",
            "token_type": "Bearer",
            "expires_at": 1_800_003_600,
            "audience": "https://todo.api.com",
            "scope": "",
        }
        users[name] = world.sign_in(letter, sub=name, downstream_token=token)
    together = asyncio.Barrier(2)
    answer = world.todo_api.create_todo

    async def create_when_both_are_here(access_token: str, *, text: str) -> Any:
        await together.wait()
        return await answer(access_token, text=text)

    world.todo_api.create_todo = create_when_both_are_here  # type: ignore[method-assign]

    async with (
        world.running() as door,
        door.client(users["alice"], mode) as alice,
        door.client(users["bob"], mode) as bob,
    ):
        for round_ in range(5):
            await asyncio.gather(
                alice.call_tool("create_todo", {"text": f"alice {round_}"}),
                bob.call_tool("create_todo", {"text": f"bob {round_}"}),
            )
        subjects = await asyncio.gather(
            alice.call_tool("who_am_i", {}), bob.call_tool("who_am_i", {})
        )

    assert [result.structured_content["subject"] for result in subjects] == ["alice", "bob"]
    for name in users:
        texts = [todo.text for todo in world.todo_api.todos[f"token-of-{name}"].values()]
        assert texts == [f"{name} {round_}" for round_ in range(5)]
