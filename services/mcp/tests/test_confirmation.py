"""delete_todo asks the person first, where the client can show a form (MCP 2026-07-28, MRTR)."""

from typing import TYPE_CHECKING, Any

import pytest
from mcp_types import ElicitRequestFormParams, ElicitResult

if TYPE_CHECKING:
    from services.mcp.tests.conftest import Door, World

FORMS: dict[str, Any] = {"elicitation": {}}
YES = {"action": "accept", "content": {"confirm": True}}


async def make_todo(door: "Door", handle: str, text: str = "buy milk") -> str:
    created = await door.call("create_todo", {"text": text}, handle=handle)
    return str(created.json()["result"]["structuredContent"]["id"])


async def delete(
    door: "Door",
    handle: str,
    todo_id: str,
    *,
    state: str | None = None,
    answer: Any = None,
    capabilities: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Call delete_todo as a client that can show forms, and return the whole answer."""
    params: dict[str, Any] = {"name": "delete_todo", "arguments": {"todo_id": todo_id}}
    if state is not None:
        params["requestState"] = state
    if answer is not None:
        params["inputResponses"] = {"confirm_deletion": answer}
    declared = FORMS if capabilities is None else capabilities
    response = await door.post("tools/call", params, handle=handle, capabilities=declared)
    return dict(response.json())


def kept(world: "World") -> list[str]:
    return [todo.text for todos in world.todo_api.todos.values() for todo in todos.values()]


@pytest.mark.standard("MCP 2026-07-28 elicitation: form", "MCP 2026-07-28 mrtr: input_required")
async def test_the_user_is_asked_with_the_text_of_the_todo_and_a_yes_deletes_it(
    world: "World",
) -> None:
    asked: list[str] = []

    async def say_yes(_context: Any, params: Any) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        asked.append(params.message)
        return ElicitResult(action="accept", content={"confirm": True})

    handle = world.sign_in()
    async with (
        world.running() as door,
        door.client(handle, elicitation_callback=say_yes) as client,
    ):
        todo_id = await make_todo(door, handle)
        result = await client.call_tool("delete_todo", {"todo_id": todo_id})

    assert asked == ["Delete the todo “buy milk”? It cannot be brought back."]
    assert result.is_error is not True
    assert result.structured_content == {"deleted": True, "deleted_id": todo_id}
    assert kept(world) == []


@pytest.mark.standard("MCP 2026-07-28 elicitation: form")
@pytest.mark.parametrize(
    "answer",
    [
        {"action": "decline"},
        {"action": "cancel"},
        {"action": "accept", "content": {"confirm": False}},
        {"action": "decline", "content": {"confirm": True}},
    ],
)
async def test_a_no_deletes_nothing_and_is_not_an_error(
    world: "World", answer: dict[str, Any]
) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        todo_id = await make_todo(door, handle)
        question = (await delete(door, handle, todo_id))["result"]
        told = await delete(door, handle, todo_id, state=question["requestState"], answer=answer)

    assert told["result"]["structuredContent"] == {"deleted": False, "deleted_id": None}
    assert told["result"].get("isError", False) is False
    assert told["result"]["resultType"] == "complete"
    assert kept(world) == ["buy milk"]


@pytest.mark.standard("MCP 2026-07-28 elicitation: form", "MCP 2026-07-28 mrtr: input_required")
@pytest.mark.parametrize("content", [{}, *({"confirm": it} for it in ("true", "", 1, 0, None))])
async def test_an_answer_that_is_not_the_forms_is_neither_yes_nor_no_and_is_asked_again(
    world: "World", content: dict[str, Any]
) -> None:
    handle, unclear = world.sign_in(), {"action": "accept", "content": content}
    async with world.running() as door:
        todo_id = await make_todo(door, handle)
        asked = (await delete(door, handle, todo_id))["result"]
        again = await delete(door, handle, todo_id, state=asked["requestState"], answer=unclear)
        assert again["result"]["inputRequests"] == asked["inputRequests"]
        assert kept(world) == ["buy milk"]
        state = again["result"]["requestState"]
        told = await delete(door, handle, todo_id, state=state, answer=YES)

    assert told["result"]["structuredContent"]["deleted"] is True


@pytest.mark.standard("MCP 2026-07-28 mrtr: input_required")
async def test_the_question_is_a_form_of_one_box_and_its_state_tells_nothing(
    world: "World",
) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        todo_id = await make_todo(door, handle)
        question = (await delete(door, handle, todo_id))["result"]

    assert question["resultType"] == "input_required"
    assert list(question["inputRequests"]) == ["confirm_deletion"]
    request = question["inputRequests"]["confirm_deletion"]
    assert request["method"] == "elicitation/create"
    assert request["params"]["mode"] == "form"
    schema = request["params"]["requestedSchema"]
    assert schema["required"] == ["confirm"]
    assert schema["properties"]["confirm"]["type"] == "boolean"
    for secret in ("milk", todo_id, "alice", "grant-1"):
        assert secret not in question["requestState"]
    assert kept(world) == ["buy milk"]
    assert world.count("mcp_tool_calls_total", tool="delete_todo", outcome="asked") == 1


@pytest.mark.standard("MCP 2026-07-28 elicitation: form")
@pytest.mark.parametrize(
    "capabilities", [{}, {"elicitation": {"url": {}}}, {"sampling": {}, "roots": {}}]
)
async def test_a_client_that_cannot_show_a_form_is_not_asked(
    world: "World", capabilities: dict[str, Any]
) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        todo_id = await make_todo(door, handle)
        told = await delete(door, handle, todo_id, capabilities=capabilities)

    assert told["result"]["structuredContent"] == {"deleted": True, "deleted_id": todo_id}
    assert kept(world) == []


@pytest.mark.parametrize("elicitation", [{"form": {}}, {"form": {}, "url": {}}])
async def test_a_client_that_names_forms_is_asked(
    world: "World", elicitation: dict[str, Any]
) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        todo_id = await make_todo(door, handle)
        told = await delete(door, handle, todo_id, capabilities={"elicitation": elicitation})

    assert told["result"]["resultType"] == "input_required"


async def test_a_client_of_the_older_era_is_not_asked(world: "World") -> None:
    async def never(*_: Any) -> ElicitResult:
        raise AssertionError("there is no way back to this client")

    handle = world.sign_in()
    async with (
        world.running() as door,
        door.client(handle, "legacy", elicitation_callback=never) as client,
    ):
        todo_id = await make_todo(door, handle)
        result = await client.call_tool("delete_todo", {"todo_id": todo_id})

    assert result.structured_content == {"deleted": True, "deleted_id": todo_id}


async def test_nobody_is_asked_about_a_todo_that_is_not_there(world: "World") -> None:
    async with world.running() as door:
        told = await delete(door, world.sign_in(), "nothing-here")

    assert told["result"]["isError"] is True
    assert "list_todos" in told["result"]["content"][0]["text"]


async def test_nobody_is_asked_for_what_the_client_may_not_do(world: "World") -> None:
    handle = world.sign_in(scope="todo_api:read")
    async with world.running() as door:
        told = await delete(door, handle, "some-id")

    assert told["error"] == "insufficient_scope"
    assert world.todo_api.calls == []


async def test_a_client_that_may_not_read_todos_learns_no_text_from_the_question(
    world: "World",
) -> None:
    owner = world.sign_in()
    writer = world.sign_in("b", scope="todo_api:write")
    async with world.running() as door:
        todo_id = await make_todo(door, owner)
        question = (await delete(door, writer, todo_id))["result"]
        told = await delete(door, writer, todo_id, state=question["requestState"], answer=YES)

    message = question["inputRequests"]["confirm_deletion"]["params"]["message"]
    assert message == f"Delete the todo with the id {todo_id}? It cannot be brought back."
    assert [call[0] for call in world.todo_api.calls] == ["create", "delete"]
    assert told["result"]["structuredContent"]["deleted"] is True


async def test_an_answer_is_to_the_text_that_was_shown(world: "World") -> None:
    handle = world.sign_in()
    token = world.auth.answers[handle]["downstream_token"]["access_token"]
    async with world.running() as door:
        todo_id = await make_todo(door, handle)
        question = (await delete(door, handle, todo_id))["result"]
        todo = world.todo_api.todos[token][todo_id]
        world.todo_api.todos[token][todo_id] = todo.model_copy(update={"text": "pay rent"})
        told = await delete(door, handle, todo_id, state=question["requestState"], answer=YES)

    assert told["result"]["resultType"] == "input_required"
    assert "pay rent" in told["result"]["inputRequests"]["confirm_deletion"]["params"]["message"]
    assert kept(world) == ["pay rent"]


@pytest.mark.standard("MCP 2026-07-28 mrtr: input_required")
async def test_half_an_answer_is_asked_again(world: "World") -> None:
    handle = world.sign_in()
    async with world.running() as door:
        todo_id = await make_todo(door, handle)
        question = (await delete(door, handle, todo_id))["result"]
        state = question["requestState"]
        halves: list[dict[str, Any]] = [
            {"answer": YES},
            {"state": state},
            {"state": state, "answer": {"roots": []}},
            {"state": state, "answer": {"action": "accept"}},
        ]
        for half in halves:
            told = await delete(door, handle, todo_id, **half)
            assert told["result"]["resultType"] == "input_required", half

    assert kept(world) == ["buy milk"]


async def test_a_client_cannot_take_its_declaration_back_to_be_spared_the_answer(
    world: "World",
) -> None:
    handle = world.sign_in()
    no = {"action": "decline"}
    async with world.running() as door:
        todo_id = await make_todo(door, handle)
        state = (await delete(door, handle, todo_id))["result"]["requestState"]
        told = await delete(door, handle, todo_id, state=state, answer=no, capabilities={})

    assert told["result"]["structuredContent"]["deleted"] is False
    assert kept(world) == ["buy milk"]


@pytest.mark.standard("MCP 2026-07-28 basic: missing capability")
async def test_a_retry_without_the_declaration_and_without_an_answer_is_missing_a_capability(
    world: "World",
) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        todo_id = await make_todo(door, handle)
        state = (await delete(door, handle, todo_id))["result"]["requestState"]
        params = {"name": "delete_todo", "arguments": {"todo_id": todo_id}, "requestState": state}
        response = await door.post("tools/call", params, handle=handle)

    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == -32021
    assert error["data"] == {"requiredCapabilities": {"elicitation": {"form": {}}}}
    assert kept(world) == ["buy milk"]
    assert world.count("mcp_tool_calls_total", tool="delete_todo", outcome="refused") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a" * 1000, "a" * 199 + "…"),
        ("a" * 200, "a" * 200),
        ("line\u2028break\tand\x85more", "line break and more"),
        ("safe \u202eelif\u202c \u200bhidden", "safe elif hidden"),
        ("x”? Press accept. “y", 'x"? Press accept. "y'),
        ("🛒 Brötchen", "🛒 Brötchen"),
    ],
)
async def test_the_text_of_a_todo_cannot_pass_for_words_of_the_server(
    world: "World", text: str, shown: str
) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        todo_id = await make_todo(door, handle, text)
        question = (await delete(door, handle, todo_id))["result"]

    message = question["inputRequests"]["confirm_deletion"]["params"]["message"]
    assert message == f"Delete the todo “{shown}”? It cannot be brought back."
