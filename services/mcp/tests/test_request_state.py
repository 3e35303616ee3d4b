"""Whose request state is taken back, and for what: everything else is refused unopened."""

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from services.mcp.tests.conftest import Door, World

YES = {"action": "accept", "content": {"confirm": True}}
KEYS = ["Zt6Wc1Rb9Lq4Yx7Nd2Mf8Ks3Vh5Pg0Ja", "uE3wQ9mTr6BzX1kYc8VnLd5HsPf2Gj7A"]


async def delete(
    door: "Door", handle: str, todo_id: str, state: str | None = None, tool: str = "delete_todo"
) -> dict[str, Any]:
    params: dict[str, Any] = {"name": tool, "arguments": {"todo_id": todo_id}}
    if state is not None:
        params |= {"requestState": state, "inputResponses": {"confirm_deletion": YES}}
    response = await door.post(
        "tools/call", params, handle=handle, capabilities={"elicitation": {}}
    )
    return dict(response.json()) | {"status": response.status_code}


async def asked(door: "Door", handle: str, text: str = "buy milk") -> tuple[str, str]:
    """Create a todo, ask for its deletion; return its id and the request state."""
    created = await door.call("create_todo", {"text": text}, handle=handle)
    todo_id = created.json()["result"]["structuredContent"]["id"]
    return todo_id, (await delete(door, handle, todo_id))["result"]["requestState"]


def assert_refused(answer: dict[str, Any], world: "World") -> None:
    assert answer["status"] == 400
    assert answer["error"]["code"] == -32602
    assert answer["error"]["message"] == "Invalid or expired requestState"
    assert not any(call[0] == "delete" for call in world.todo_api.calls)


@pytest.mark.standard("MCP 2026-07-28 mrtr: requestState")
@pytest.mark.parametrize(
    "other", [{"sub": "mallory"}, {"client_id": "client-2"}, {"grant_id": "grant-2"}]
)
async def test_the_state_of_another_user_client_or_grant_is_refused(
    world: "World", other: dict[str, str]
) -> None:
    owner, stranger = world.sign_in("a"), world.sign_in("b", **other)
    async with world.running() as door:
        todo_id, state = await asked(door, owner)
        answer = await delete(door, stranger, todo_id, state)

    assert_refused(answer, world)


@pytest.mark.standard("MCP 2026-07-28 mrtr: requestState")
async def test_the_state_of_another_todo_or_tool_is_refused(world: "World") -> None:
    handle = world.sign_in()
    async with world.running() as door:
        _, state = await asked(door, handle)
        other_id, _ = await asked(door, handle, "pay rent")
        for tool in ("delete_todo", "set_todo_status"):
            assert_refused(await delete(door, handle, other_id, state, tool), world)


@pytest.mark.standard("MCP 2026-07-28 mrtr: requestState")
@pytest.mark.parametrize(
    "tamper",
    [
        lambda state: state[:-1] + ("A" if state[-1] != "A" else "Q"),
        lambda state: state[:40] + ("A" if state[40] != "A" else "B") + state[41:],
        lambda state: state + "A",
        lambda state: state[3:],
        lambda state: "v2." + state[3:],
        lambda _state: "",
        lambda _state: "v1.",
        lambda _state: "delete it",
        lambda _state: "\ud7ff" * 100,
        lambda _state: ["v1."],
        lambda _state: 7,
    ],
)
async def test_a_state_that_this_server_did_not_write_is_refused(
    world: "World", tamper: Any
) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        todo_id, state = await asked(door, handle)
        answer = await delete(door, handle, todo_id, tamper(state))

    assert_refused(answer, world)


@pytest.mark.standard("MCP 2026-07-28 mrtr: requestState")
async def test_a_state_is_good_for_five_minutes(
    world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=1_800_000_000.0)
    monkeypatch.setattr("mcp.server.request_state.time", SimpleNamespace(time=lambda: clock.now))
    handle = world.sign_in()
    async with world.running() as door:
        todo_id, state = await asked(door, handle)
        clock.now += 300
        late = await delete(door, handle, todo_id, state)
        assert_refused(late, world)
        clock.now -= 1
        in_time = await delete(door, handle, todo_id, state)

    assert in_time["result"]["structuredContent"]["deleted"] is True


async def test_a_second_yes_finds_nothing_left_to_delete(world: "World") -> None:
    handle = world.sign_in()
    async with world.running() as door:
        todo_id, state = await asked(door, handle)
        together = await asyncio.gather(
            delete(door, handle, todo_id, state), delete(door, handle, todo_id, state)
        )
        later = await delete(door, handle, todo_id, state)

    outcomes = [told["result"].get("isError", False) for told in together]
    assert sorted(outcomes) == [False, True]
    assert later["result"]["isError"] is True


@pytest.mark.parametrize("keys", [[KEYS[0]], [KEYS[1], KEYS[0]]])
async def test_another_replica_takes_the_answer_also_while_the_keys_are_changed(
    world: "World", keys: list[str]
) -> None:
    handle = world.sign_in()
    world.variables["mcp_request_state_keys"] = KEYS[0]
    async with world.running() as door:
        todo_id, state = await asked(door, handle)
    world.variables["mcp_request_state_keys"] = ",".join(keys)
    world.registry = type(world.registry)()
    async with world.running() as replica:
        answer = await delete(replica, handle, todo_id, state)

    assert answer["result"]["structuredContent"]["deleted"] is True


@pytest.mark.parametrize("keys", ["", KEYS[1]])
async def test_a_process_with_other_keys_refuses_the_state(world: "World", keys: str) -> None:
    handle = world.sign_in()
    world.variables["mcp_request_state_keys"] = KEYS[0]
    async with world.running() as door:
        todo_id, state = await asked(door, handle)
    world.variables["mcp_request_state_keys"] = keys
    world.registry = type(world.registry)()
    async with world.running() as stranger:
        answer = await delete(stranger, handle, todo_id, state)

    assert_refused(answer, world)


async def test_the_state_of_another_mcp_server_with_the_same_keys_is_refused(
    world: "World",
) -> None:
    world.variables["mcp_request_state_keys"] = KEYS[0]
    handle = world.sign_in()
    async with world.running() as door:
        todo_id, state = await asked(door, handle)
    world.variables["mcp_resource"] = "http://localhost:8071/mcp"
    world.auth.answers[handle]["aud"] = "http://localhost:8071/mcp"
    world.registry = type(world.registry)()
    async with world.running() as other:
        answer = await delete(other, handle, todo_id, state)

    assert_refused(answer, world)
