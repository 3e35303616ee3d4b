"""One authorization server in front of two MCP servers: what its tests have in common.

The second one's scopes have other names at PingOne, and writing there takes two of them.
"""

import json
from typing import Any

import httpx
from auth_harness import API, INTROSPECTION_CLIENT, RESOURCE, AuthUnderTest

OTHER_RESOURCE = "https://tasks.example.com/mcp"
OTHER_API = "https://tasks.api.com"
OTHER_CLIENT = ("tasks-mcp", "the-tasks-server-introspects-with-this")
OTHER_NAME = "Tasks"

ENTRIES: tuple[dict[str, Any], ...] = (
    {
        "identifier": RESOURCE,
        "audience": API,
        "scopes": ["todo_api:read", "todo_api:write"],
        "introspection_client_id": INTROSPECTION_CLIENT[0],
        "introspection_client_secret": INTROSPECTION_CLIENT[1],
    },
    {
        "identifier": OTHER_RESOURCE,
        "name": OTHER_NAME,
        "audience": OTHER_API,
        "scopes": {"tasks:read": "tasks.read", "tasks:write": ["tasks.read", "tasks.write"]},
        "scope_descriptions": {"tasks:read": "See your tasks"},
        "introspection_client_id": OTHER_CLIENT[0],
        "introspection_client_secret": OTHER_CLIENT[1],
    },
)
# Given to auth_under_test: the list in place of the single resource's variables.
SETTINGS: dict[str, Any] = {
    "auth_resources": json.dumps(ENTRIES),
    "api_identifier": "",
    "mcp_resource": "",
    "introspection_client_id": "",
    "introspection_client_secret": "",
    "mcp_scopes": "",
}
SIMULATOR: dict[str, Any] = {"resources": {OTHER_API: ("tasks.read", "tasks.write")}}

# What a client sends to be allowed at the second server.
AT_OTHER: dict[str, Any] = {"resource": OTHER_RESOURCE, "scope": "tasks:read tasks:write"}


async def handles_at_other(
    auth: AuthUnderTest, browser: httpx.AsyncClient | None = None, **changes: Any
) -> dict[str, Any]:
    """The whole way to handles for the second server; return the token response."""
    code = await auth.obtain_code(browser, **(AT_OTHER | changes))
    response = await auth.exchange(code, resource=OTHER_RESOURCE)
    assert response.status_code == 200, response.text
    handles: dict[str, Any] = response.json()
    return handles
