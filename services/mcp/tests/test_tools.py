"""What an MCP client sees of the tools, in both protocol eras, through the SDK's own client."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from mcp.shared.exceptions import MCPError

from mcp_server.handle_verifier import IntrospectionUnavailable
from mcp_server.todo_client import (
    DownstreamScopeRefused,
    DownstreamTokenRefused,
    TodoApiError,
    TodoApiUnavailable,
    TodoConflict,
    TodoInvalid,
)

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

TOOLS = ["who_am_i", "list_todos", "create_todo", "set_todo_status", "delete_todo"]


def text_of(result: Any) -> str:
    return "\n".join(block.text for block in result.content)


@pytest.mark.standard(
    "MCP 2026-07-28 tools: order",
    "MCP 2026-07-28 tools: structured output",
    "MCP 2026-07-28 tools: annotations",
)
async def test_the_five_tools_are_listed_in_a_fixed_order_and_described(
    world: "World", mode: str
) -> None:
    async with world.running() as door, door.client(world.sign_in(), mode) as client:
        first, second = await client.list_tools(), await client.list_tools()
        tools = first.tools

    assert [tool.name for tool in tools] == TOOLS
    assert [tool.model_dump() for tool in tools] == [tool.model_dump() for tool in second.tools]
    for tool in tools:
        assert tool.title
        assert tool.description
        assert tool.annotations is not None
        assert tool.annotations.title == tool.title
        assert tool.annotations.open_world_hint is False
        assert tool.output_schema is not None
        assert tool.output_schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False
        assert all("description" in item for item in tool.input_schema["properties"].values())
    hints = {
        tool.name: (
            tool.annotations.read_only_hint,
            tool.annotations.destructive_hint,
            tool.annotations.idempotent_hint,
        )
        for tool in tools
        if tool.annotations
    }
    assert hints == {
        "who_am_i": (True, False, True),
        "list_todos": (True, False, True),
        "create_todo": (False, False, False),
        "set_todo_status": (False, False, True),
        "delete_todo": (False, True, True),
    }


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
    assert deleted.structured_content == {"deleted_id": todo_id}
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


@pytest.mark.standard("MCP 2026-07-28 tools: unknown tool")
async def test_an_unknown_tool_is_a_protocol_error(world: "World", mode: str) -> None:
    async with world.running() as door, door.client(world.sign_in(), mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("drop_tables", {})

    assert caught.value.code == -32602
    assert "drop_tables" not in caught.value.message
    assert world.count("mcp_tool_calls_total", tool="unknown", outcome="unknown") == 1


@pytest.mark.standard("MCP 2026-07-28 tools: failures", "MCP 2025-11-25 tools: input errors")
@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("list_todos", {"limit": 31337}, "limit: How many todos at most, from 1 to 100."),
        ("list_todos", {"limit": "31337"}, "limit: How many todos"),
        ("list_todos", {"completed": "31337"}, "completed: true: only done"),
        ("list_todos", {"31337": True}, "completed: true: only done"),
        ("create_todo", {}, "text: What is to be done"),
        ("create_todo", {"text": ""}, "text: What is to be done"),
        ("create_todo", {"text": "31337" * 300}, "from 1 to 1000 characters"),
        ("create_todo", {"text": ["31337"]}, "text: What is to be done"),
        ("set_todo_status", {"todo_id": "../31337", "completed": True}, "todo_id: The id of"),
        ("set_todo_status", {"todo_id": "x", "completed": 31337}, "completed: true for done"),
        ("delete_todo", {"todo_id": "31337/x"}, "todo_id: The id of"),
        ("delete_todo", {"todo_id": "31337\n"}, "todo_id: The id of"),
        ("who_am_i", {"31337": 1}, "This tool takes none."),
    ],
)
async def test_wrong_arguments_are_explained_in_our_words_without_what_was_sent(
    world: "World", mode: str, tool: str, arguments: dict[str, Any], expected: str
) -> None:
    async with world.running() as door, door.client(world.sign_in(), mode) as client:
        result = await client.call_tool(tool, arguments)

    assert result.is_error is True
    assert expected in text_of(result)
    for leak in ("31337", "pydantic", "http", "Error executing"):
        assert leak not in text_of(result)
    assert world.todo_api.calls == []
    assert world.count("mcp_tool_calls_total", tool=tool, outcome="invalid") == 1


@pytest.mark.standard("MCP 2026-07-28 tools: failures")
@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (TodoConflict("You have 1000 todos."), "You have 1000 todos. If there are too many"),
        (TodoInvalid("text: no control characters"), "no control characters. Correct the arg"),
        (DownstreamScopeRefused("secret"), "may not do this"),
        (TodoApiUnavailable("secret"), "Try again in a minute."),
    ],
)
async def test_a_refusal_of_the_api_says_what_to_do(
    world: "World", mode: str, failure: TodoApiError, expected: str
) -> None:
    world.todo_api.failures.append(failure)
    async with world.running() as door, door.client(world.sign_in(), mode) as client:
        result = await client.call_tool("create_todo", {"text": "buy milk"})

    assert result.is_error is True
    assert expected in text_of(result)
    assert "secret" not in text_of(result)
    assert world.count("mcp_tool_calls_total", tool="create_todo", outcome="refused") == 1


async def test_an_unknown_todo_is_an_error_that_points_to_list_todos(
    world: "World", mode: str
) -> None:
    async with world.running() as door, door.client(world.sign_in(), mode) as client:
        result = await client.call_tool("delete_todo", {"todo_id": "nothing-here"})

    assert result.is_error is True
    assert "list_todos" in text_of(result)


@pytest.mark.standard("MCP 2026-07-28 tools: sanitized output")
async def test_a_crash_in_a_tool_says_nothing_about_its_cause(world: "World", mode: str) -> None:
    async def crash(*_args: Any, **_kwargs: Any) -> Any:
        raise RuntimeError("secret")

    world.todo_api.create_todo = crash  # type: ignore[method-assign]
    async with world.running() as door, door.client(world.sign_in(), mode) as client:
        result = await client.call_tool("create_todo", {"text": "buy milk"})

    assert result.is_error is True
    assert "secret" not in text_of(result)
    assert world.count("mcp_tool_calls_total", tool="create_todo", outcome="crashed") == 1


async def test_a_refused_downstream_token_is_asked_for_again_and_the_call_repeated(
    world: "World", mode: str
) -> None:
    handle = world.sign_in()
    async with world.running() as door, door.client(handle, mode) as client:
        asked_before = len(world.auth.asked)
        fresh = dict(world.auth.answers[handle]["downstream_token"], access_token="fresh")
        world.auth.answers[handle] = dict(world.auth.answers[handle], downstream_token=fresh)
        world.todo_api.failures.append(DownstreamTokenRefused())
        result = await client.call_tool("create_todo", {"text": "buy milk"})

    assert result.is_error is not True
    assert [call[1] for call in world.todo_api.calls][-1] == "fresh"
    assert len(world.auth.asked) == asked_before + 1
    assert world.count("mcp_downstream_token_refusals_total", outcome="recovered") == 1


async def test_a_token_refused_twice_ends_in_an_error_result_and_a_metric_not_in_a_challenge(
    world: "World", mode: str
) -> None:
    world.todo_api.failures += [DownstreamTokenRefused(), DownstreamTokenRefused()]
    async with world.running() as door, door.client(world.sign_in(), mode) as client:
        result = await client.call_tool("list_todos", {})

    assert result.is_error is True
    assert "sign in again" in text_of(result)
    assert len(world.todo_api.calls) == 2
    assert world.count("mcp_downstream_token_refusals_total", outcome="final") == 1


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ({"active": False}, "sign in again"),
        (IntrospectionUnavailable("down"), "Try again in a minute"),
    ],
)
async def test_what_auth_says_after_a_refused_downstream_token_decides(
    world: "World", mode: str, then: Any, expected: str
) -> None:
    handle = world.sign_in()
    async with world.running() as door, door.client(handle, mode) as client:
        world.auth.answers[handle] = then
        world.todo_api.failures.append(DownstreamTokenRefused())
        result = await client.call_tool("list_todos", {})

    assert result.is_error is True
    assert expected in text_of(result)


@pytest.mark.standard("MCP 2026-07-28 discover: server/discover", "MCP 2026-07-28 caching: hints")
async def test_the_server_introduces_itself_and_its_lists_are_private(world: "World") -> None:
    handle = world.sign_in()
    async with world.running() as door:
        discovered = (await door.post("server/discover", handle=handle)).json()["result"]
        listed = (await door.post("tools/list", handle=handle)).json()["result"]

    info = discovered["_meta"]["io.modelcontextprotocol/serverInfo"]
    assert info["name"] == "mcp-pingone-todos"
    assert info["title"] == "Todos"
    assert info["version"]
    assert "list_todos" in discovered["instructions"]
    assert discovered["supportedVersions"][:2] == ["2026-07-28", "2025-11-25"]
    assert discovered["capabilities"]["tools"].get("listChanged", False) is False
    for result in (discovered, listed):
        assert result["cacheScope"] == "private"
        assert result["ttlMs"] > 0


@pytest.mark.standard("MCP 2026-07-28 basic: unknown method")
async def test_there_are_no_subscriptions_to_hold_open(world: "World") -> None:
    async with world.running() as door:
        response = await door.post(
            "subscriptions/listen", {"notifications": {}}, handle=world.sign_in()
        )

    assert response.status_code == 404
    assert response.json()["error"]["code"] == -32601
