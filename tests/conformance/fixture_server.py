"""`python -m conformance.fixture_server`: the MCP server with what the suite calls in it.

All that stands in front of the tools is the service as it ships: settings, bearer layer,
introspection at auth, transport rules, TodoServer with its words for failures, the protection of
request state. Two things differ. Instead of the tools of the todo list it offers what the suite
calls and reads. And a response may be a stream, where the service answers with one JSON object:
without that nobody would see what a tool logs or how far it is, nor that the bearer layer lets a
stream pass as it comes. There are no sessions here either; what would need one is listed in
baseline.toml.
"""

import warnings
from typing import Any
from unittest.mock import patch

from conformance import shim
from conformance.fixtures.calling_back import CALLING_BACK_TOOLS
from conformance.fixtures.input_required import INPUT_REQUIRED_TOOLS
from conformance.fixtures.methods import add_methods
from conformance.fixtures.plain_tools import PLAIN_TOOLS, schema_tool
from conformance.fixtures.prompts import add_prompts
from conformance.fixtures.resources import add_resources
from conformance.fixtures.streaming_tools import STREAMING_TOOLS, change_tools
from mcp.server.mcpserver import RequestStateSecurity
from mcp.server.mcpserver.tools import Tool
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.exceptions import MCPDeprecationWarning
from starlette.applications import Starlette

from mcp_server.app import public
from mcp_server.todo_client import TodoApi
from mcp_server.tools import CountCall, TodoServer


class FixtureServer(TodoServer):
    """The service's own server with other tools, with resources, prompts and streams."""

    def __init__(
        self, version: str, count_call: CountCall, request_state: RequestStateSecurity
    ) -> None:
        self._bus = InMemorySubscriptionBus()
        functions = {
            **PLAIN_TOOLS,
            **STREAMING_TOOLS,
            **change_tools(self._bus),
            **INPUT_REQUIRED_TOOLS,
            **CALLING_BACK_TOOLS,
        }
        tools = [
            Tool.from_function(function, name=name, structured_output=False)
            for name, function in functions.items()
        ]
        super().__init__([*tools, schema_tool()], version, count_call, request_state)
        add_resources(self)
        add_prompts(self)

    def streamable_http_app(self, **options: Any) -> Starlette:
        """Build the SDK's application as the service does, except that responses may stream."""
        app = super().streamable_http_app(**{**options, "json_response": False})
        add_methods(self.session_manager.app, self._bus)
        return app


def create_fixture_server(
    _todo_api: TodoApi,
    *,
    version: str,
    count_call: CountCall,
    request_state: RequestStateSecurity,
    **_for_todo_tools: Any,
) -> TodoServer:
    """Stand in for create_server of the service, which gets the same arguments."""
    return FixtureServer(version, count_call, request_state)


def main() -> None:
    """Serve until told to stop."""
    # The revision of 2026 deprecates logging and sampling, and the suite calls them nevertheless.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    with patch.object(public, "create_server", create_fixture_server):
        shim.main()


if __name__ == "__main__":
    main()
