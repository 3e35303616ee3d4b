"""The revisions before 2026-07-28, each through the whole life of a connection, as raw HTTP."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from services.mcp.tests.conftest import Door, World

REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]


class OlderClient:
    """A client that shakes hands, and from then on names the version, if its revision has that."""

    def __init__(self, door: "Door", handle: str, *, names_version: bool) -> None:
        self._door = door
        self._names_version = names_version
        self.headers = {
            "Authorization": f"Bearer {handle}",
            "Accept": "application/json, text/event-stream",
        }

    async def send(self, method: str, params: Any = None, *, request: bool = True) -> Any:
        message = {"jsonrpc": "2.0", "method": method}
        message |= {"params": params} if params is not None else {}
        message |= {"id": f"{method}-1"} if request else {}
        response = await self._door.http.post("/mcp", json=message, headers=self.headers)
        if not request:
            assert (response.status_code, response.content) == (202, b"")
            return None
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        assert response.json()["id"] == f"{method}-1"
        return response.json()["result"]

    async def shake_hands(self, version: str) -> dict[str, Any]:
        client = {"name": "an older client", "version": "1"}
        agreed = await self.send(
            "initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": client}
        )
        if self._names_version:
            self.headers["MCP-Protocol-Version"] = agreed["protocolVersion"]
        await self.send("notifications/initialized", request=False)
        return dict(agreed)


@pytest.mark.standard(
    "MCP 2025-11-25 lifecycle: whole path",
    "MCP 2025-11-25 lifecycle: initialize",
    "MCP 2025-11-25 lifecycle: initialized",
    "MCP 2025-11-25 ping",
    "MCP 2025-11-25 earlier revisions",
)
@pytest.mark.parametrize(
    ("version", "names_version"),
    [(version, version >= "2025-06-18") for version in REVISIONS] + [("2025-11-25", False)],
)
async def test_a_client_of_each_revision_goes_the_whole_way(
    world: "World", version: str, names_version: bool
) -> None:
    async with world.running() as door:
        client = OlderClient(door, world.sign_in(), names_version=names_version)
        agreed = await client.shake_hands(version)
        listed = await client.send("tools/list")
        created = await client.send(
            "tools/call", {"name": "create_todo", "arguments": {"text": "buy milk"}}
        )
        todo_id = created["structuredContent"]["id"]
        deleted = await client.send(
            "tools/call", {"name": "delete_todo", "arguments": {"todo_id": todo_id}}
        )
        pinged = await client.send("ping")
        nothing = [await client.send("prompts/list"), await client.send("resources/list")]

    assert agreed["protocolVersion"] == version
    assert agreed["serverInfo"]["name"] == "mcp-pingone-todos"
    assert "list_todos" in agreed["instructions"]
    assert [tool["name"] for tool in listed["tools"]][1:3] == ["list_todos", "create_todo"]
    assert deleted["structuredContent"] == {"deleted": True, "deleted_id": todo_id}
    assert deleted["content"][0]["type"] == "text"
    assert pinged == {}
    assert nothing == [{"prompts": []}, {"resources": []}]


@pytest.mark.parametrize("version", REVISIONS)
async def test_the_members_of_later_revisions_are_not_sent_to_an_older_client(
    world: "World", version: str
) -> None:
    async with world.running() as door:
        client = OlderClient(door, world.sign_in(), names_version=True)
        agreed = await client.shake_hands(version)
        listed = await client.send("tools/list")
        called = await client.send("tools/call", {"name": "who_am_i", "arguments": {}})

    for result in (agreed, listed, called):
        assert not {"resultType", "ttlMs", "cacheScope"} & result.keys()


@pytest.mark.parametrize("headers", [{}, {"MCP-Protocol-Version": "2025-03-26"}])
async def test_a_batch_is_refused_as_a_whole_with_the_reason(
    world: "World", headers: dict[str, str]
) -> None:
    call = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "list_todos"}}
    async with world.running() as door:
        client = OlderClient(door, world.sign_in(), names_version=False)
        response = await door.http.post(
            "/mcp", json=[call | {"id": 1}, call | {"id": 2}], headers=client.headers | headers
        )

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32600
    assert "each message by itself" in response.json()["error"]["message"]
    assert world.todo_api.calls == []


async def test_a_client_of_the_first_transport_finds_no_stream(world: "World") -> None:
    async with world.running() as door:
        for path in ("/mcp", "/sse"):
            response = await door.http.get(path, headers={"Accept": "text/event-stream"})
            assert response.status_code in {404, 405}
            assert not response.headers["content-type"].startswith("text/event-stream")


async def test_an_answer_to_a_question_nobody_asked_is_refused(world: "World") -> None:
    async with world.running() as door:
        client = OlderClient(door, world.sign_in(), names_version=False)
        await client.shake_hands("2025-11-25")
        response: httpx.Response = await door.http.post(
            "/mcp",
            json={"jsonrpc": "2.0", "id": 1, "result": {"action": "accept"}},
            headers=client.headers,
        )

    assert response.status_code == 400
