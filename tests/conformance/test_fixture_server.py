"""The server with fixtures is the service's own, with one option changed."""

from collections import Counter
from typing import Any

import pytest
from conformance.fixture_server import FixtureServer
from mcp.server.mcpserver import RequestStateSecurity


def fixture_server() -> tuple[FixtureServer, Counter[Any]]:
    counted: Counter[Any] = Counter()

    def count_call(*call: str) -> None:
        counted[call] += 1

    return FixtureServer("1.0", count_call, RequestStateSecurity.ephemeral()), counted


def test_its_responses_may_stream_and_as_in_the_service_there_are_no_sessions() -> None:
    server, _ = fixture_server()
    server.streamable_http_app(stateless_http=True, json_response=True)
    assert server.session_manager.stateless
    assert not server.session_manager.json_response


async def test_whatever_it_offers_says_what_it_is() -> None:
    server, _ = fixture_server()
    descriptions = [
        *(tool.description for tool in await server.list_tools()),
        *(prompt.description for prompt in await server.list_prompts()),
        *(resource.description for resource in await server.list_resources()),
        *(template.description for template in await server.list_resource_templates()),
    ]
    assert all(descriptions)


@pytest.mark.parametrize(
    ("tool", "outcome"), [("test_simple_text", "ok"), ("test_error_handling", "refused")]
)
async def test_its_calls_take_the_path_of_the_calls_of_the_service(tool: str, outcome: str) -> None:
    server, counted = fixture_server()
    await server.call_tool(tool, {})
    assert counted == {(tool, outcome): 1}
