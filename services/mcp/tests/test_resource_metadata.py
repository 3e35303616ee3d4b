"""The protected resource metadata (RFC 9728)."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

PATHS = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
]


@pytest.mark.standard(
    "RFC 9728 2",
    "RFC 9728 3.1",
    "RFC 9728 3.2",
    "MCP 2026-07-28 authorization: resource metadata",
    "MCP 2026-07-28 authorization: offline_access",
)
@pytest.mark.parametrize("path", PATHS)
async def test_the_metadata_is_found_at_both_places_without_a_handle(
    world: "World", path: str
) -> None:
    async with world.running() as door:
        response = await door.http.get(path)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "resource": "http://localhost:8081/mcp",
        "authorization_servers": ["http://localhost:8080"],
        "scopes_supported": ["todo_api:read", "todo_api:write"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Todos",
    }


@pytest.mark.parametrize("path", PATHS)
async def test_any_web_page_may_read_the_metadata(world: "World", path: str) -> None:
    headers = {"Origin": "https://anywhere.example"}
    preflight = headers | {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,content-type,mcp-protocol-version",
    }
    async with world.running() as door:
        asked = await door.http.options(path, headers=preflight)
        read = await door.http.get(path, headers=headers)

    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == "*"
    assert read.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", PATHS)
async def test_the_metadata_is_read_only(world: "World", path: str) -> None:
    async with world.running() as door:
        assert (await door.http.post(path)).status_code == 405


@pytest.mark.standard(
    "RFC 6750 3 mcp",
    "RFC 9728 3.3",
    "RFC 9728 5.1",
    "MCP 2026-07-28 authorization: resource metadata",
)
async def test_the_challenge_points_to_the_metadata(world: "World") -> None:
    async with world.running() as door:
        challenge = (await door.post("tools/list", handle=None)).headers["www-authenticate"]
        url = challenge.split('resource_metadata="')[1].rstrip('"')
        assert (await door.http.get(url)).json()["resource"] == "http://localhost:8081/mcp"
