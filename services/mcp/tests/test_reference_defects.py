"""What the reference implementation (Ping Identity's Cloudflare Workers sample) got wrong.

Each test is named after what must not happen. docs/threat-model.md lists all defects; the others
are where their subject is.
"""

from typing import TYPE_CHECKING, Any

import pytest

from mcp_server.todo_client import TodoApiUnavailable

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

UNKNOWN = "9a1c0000-0000-4000-8000-000000000000"
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("who_am_i", {}),
    ("list_todos", {}),
    ("create_todo", {"text": "buy milk"}),
    ("set_todo_status", {"todo_id": UNKNOWN, "completed": True}),
    ("delete_todo", {"todo_id": UNKNOWN}),
    ("no_such_tool", {}),
]


@pytest.mark.parametrize("works", [True, False], ids=["api works", "api is away"])
@pytest.mark.parametrize(("tool", "arguments"), CALLS, ids=[name for name, _ in CALLS])
async def test_no_answer_of_a_tool_holds_a_pingone_token(
    world: "World", era: str, tool: str, arguments: dict[str, Any], works: bool
) -> None:
    """Defect 2: a tool printed the raw access token of PingOne to the model."""
    handle = world.sign_in()
    token = world.auth.answers[handle]["downstream_token"]["access_token"]
    if not works:
        world.todo_api.failures = [TodoApiUnavailable(f"refused Bearer {token}")]
    async with world.running() as door:
        response = await door.call(tool, arguments, handle=handle, version=era)
    for secret in (handle, token, *token.split(".")):
        assert secret not in response.text
        assert secret not in str(response.headers)


async def test_the_session_of_somebody_else_gives_nothing(world: "World", era: str) -> None:
    """Defect 4: whoever knew a session id acted with the props of its first user."""
    alice = world.sign_in("a", sub="alice")
    bob = world.sign_in("b", sub="bob")
    session = {"Mcp-Session-Id": "the-session-of-alice"}
    async with world.running() as door:
        for handle, subject in ((alice, "alice"), (bob, "bob"), (alice, "alice")):
            answer = await door.call("who_am_i", handle=handle, version=era, headers=session)
            assert answer.json()["result"]["structuredContent"]["subject"] == subject
            assert "mcp-session-id" not in answer.headers
        nobody = await door.call("who_am_i", handle=None, version=era, headers=session)
        assert nobody.status_code == 401
        # There is nothing to end, so nobody can end somebody else's.
        ended = await door.http.delete(
            "/mcp", headers={"Authorization": f"Bearer {bob}", **session}
        )
        assert ended.status_code == 405


@pytest.mark.parametrize("todo_id", ["../../admin", "..", "x?completed=true", "x#y", "a/b", "%2e"])
async def test_a_todo_id_does_not_reach_another_resource_of_the_api(
    world: "World", era: str, todo_id: str
) -> None:
    """Defect 21: the id went unencoded into the path, with the user's token."""
    handle = world.sign_in()
    async with world.running() as door:
        for tool, more in (("delete_todo", {}), ("set_todo_status", {"completed": True})):
            arguments = {"todo_id": todo_id, **more}
            answer = await door.call(tool, arguments, handle=handle, version=era)
            assert answer.json()["result"]["isError"] is True
        # What can be an id is tried: it was the id that was refused.
        await door.call("delete_todo", {"todo_id": UNKNOWN}, handle=handle, version=era)
    assert [(call[0], call[2]) for call in world.todo_api.calls] == [("delete", UNKNOWN)]
