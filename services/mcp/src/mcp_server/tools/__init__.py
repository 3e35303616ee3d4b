"""The tools, and the MCP server that offers them."""

from mcp_server.tools.api_calls import CountRefusal
from mcp_server.tools.request_state import protect_request_state
from mcp_server.tools.server import CountCall, TodoServer, create_server

__all__ = [
    "CountCall",
    "CountRefusal",
    "TodoServer",
    "create_server",
    "protect_request_state",
]
