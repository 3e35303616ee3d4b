"""What a model is told when a call fails: what to do next, and nothing of the innards."""

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


def text_of(result: Any) -> str:
    return "\n".join(block.text for block in result.content)


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
        ("list_todos", {"limit": 31337}, "limit: How many todos at most: a whole number from 1 to"),
        ("list_todos", {"limit": "31337"}, "a whole number from 1 to 100."),
        ("list_todos", {"limit": 313.37}, "a whole number from 1 to 100."),
        ("list_todos", {"limit": 31337.0}, "a whole number from 1 to 100."),
        ("list_todos", {"limit": 0.0}, "a whole number from 1 to 100."),
        ("list_todos", {"limit": 1e308}, "a whole number from 1 to 100."),
        ("list_todos", {"limit": "10"}, "a whole number from 1 to 100."),
        ("list_todos", {"limit": True}, "a whole number from 1 to 100."),
        ("list_todos", {"limit": None}, "a whole number from 1 to 100."),
        ("list_todos", {"completed": "31337"}, "completed: true: only done"),
        ("list_todos", {"completed": "null"}, "completed: true: only done"),
        ("list_todos", {"completed": 1}, "completed: true: only done"),
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
