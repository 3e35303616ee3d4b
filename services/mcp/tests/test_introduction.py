"""What the server says about itself and its tools before anything is called."""

import base64
import os
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

VERSIONS = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]
TOOLS = ["who_am_i", "list_todos", "create_todo", "set_todo_status", "delete_todo"]


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
    assert discovered["supportedVersions"] == VERSIONS
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


LIST_TOOLS = """
import asyncio, json
from unittest.mock import Mock
from mcp_server.tools import create_server, protect_request_state

server = create_server(
    Mock(), version="1", reveal_downstream_token=False, count_call=Mock(), count_refusal=Mock(),
    request_state=protect_request_state([], resource="http://localhost:8081/mcp"),
)
tools = asyncio.run(server.list_tools())
print(json.dumps([tool.model_dump(mode="json", by_alias=True) for tool in tools]))
"""


@pytest.mark.standard("MCP 2026-07-28 tools: order")
def test_every_process_lists_the_tools_in_the_same_bytes() -> None:
    listings = {
        subprocess.run(  # noqa: S603  (our own module, our own arguments)
            [sys.executable, "-c", LIST_TOOLS],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(listings) == 1
    assert listings.pop().count(b'"inputSchema"') == len(TOOLS)


@pytest.mark.standard("MCP 2026-07-28 basic: icons")
async def test_server_and_tools_have_an_icon_that_is_fetched_from_nowhere_and_runs_nothing(
    world: "World",
) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        discovered = (await door.post("server/discover", handle=handle)).json()["result"]
        listed = (await door.post("tools/list", handle=handle)).json()["result"]

    info = discovered["_meta"]["io.modelcontextprotocol/serverInfo"]
    assert info["description"]
    sources = []
    for holder in (info, *listed["tools"]):
        (icon,) = holder["icons"]
        assert icon["mimeType"] == "image/svg+xml"
        assert icon["sizes"] == ["any"]
        prefix, _, drawing = icon["src"].partition(",")
        assert prefix == "data:image/svg+xml;base64"
        assert len(icon["src"]) < 1000
        root = ElementTree.fromstring(base64.b64decode(drawing, validate=True))  # noqa: S314
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert [child.tag for child in root] == ["{http://www.w3.org/2000/svg}path"]
        names = {name for element in root.iter() for name in element.attrib}
        assert not any(name.startswith("on") or "href" in name for name in names)
        sources.append(icon["src"])
    assert len(set(sources)) == len(sources)


@pytest.mark.standard("MCP 2026-07-28 discover: server/discover")
async def test_every_answer_says_who_gave_it(world: "World") -> None:
    handle = world.sign_in()
    async with world.running() as door:
        answers = [
            await door.post("tools/list", handle=handle),
            await door.call("who_am_i", handle=handle),
        ]

    for answer in answers:
        info = answer.json()["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]
        assert info["name"] == "mcp-pingone-todos"
