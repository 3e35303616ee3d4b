"""The table of scopes: every tool on offer is in it, and what is asked for follows from it."""

from typing import TYPE_CHECKING

import pytest

from mcp_server.tool_scopes import (
    MINIMAL_SCOPES,
    READ,
    SUPPORTED_SCOPES,
    TOOL_SCOPES,
    WRITE,
    scopes_to_ask_for,
)

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World


@pytest.mark.standard("MCP 2026-07-28 tools: access control")
async def test_every_tool_that_is_offered_declares_its_scopes(world: "World", era: str) -> None:
    async with world.running() as door:
        response = await door.post("tools/list", handle=world.sign_in(), version=era)

    offered = {tool["name"] for tool in response.json()["result"]["tools"]}
    assert offered == TOOL_SCOPES.keys()
    assert frozenset().union(*TOOL_SCOPES.values()) == {*SUPPORTED_SCOPES}


@pytest.mark.parametrize("tool", TOOL_SCOPES)
@pytest.mark.parametrize("granted", [set(), {READ}, {WRITE}, {READ, WRITE}, {"todo_api"}, {"*"}])
def test_what_is_asked_for_is_enough_to_go_on_and_depends_on_the_tool_alone(
    tool: str, granted: set[str]
) -> None:
    asked = scopes_to_ask_for(tool, frozenset(granted))
    assert bool(asked) is not (TOOL_SCOPES[tool] <= granted)
    if asked:
        assert asked == scopes_to_ask_for(tool, frozenset())
        assert not scopes_to_ask_for(tool, asked)
        assert asked >= {*MINIMAL_SCOPES}
    assert not asked - {*SUPPORTED_SCOPES}
