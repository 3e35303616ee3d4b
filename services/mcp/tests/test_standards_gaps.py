"""Small points of the standards that no other test of mcp is about; see docs/standards.md."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

LEGACY = "2025-11-25"
PATHS = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
]


def legacy_headers(handle: str, **more: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {handle}",
        "Accept": "application/json, text/event-stream",
        **more,
    }


def initialize(version: str) -> dict[str, Any]:
    """What a client of the older era begins with."""
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "a client", "version": "1"},
        },
    }


@pytest.mark.standard("RFC 9728 7.10")
@pytest.mark.parametrize("path", PATHS)
async def test_the_metadata_may_be_cached_for_minutes_only(world: "World", path: str) -> None:
    async with world.running() as door:
        response = await door.http.get(path)

    assert response.headers["cache-control"] == "public, max-age=300"


@pytest.mark.standard("RFC 9728 7.3")
@pytest.mark.parametrize("path", PATHS)
async def test_the_metadata_does_not_follow_a_forged_host(world: "World", path: str) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil"}
    async with world.running() as door:
        response = await door.http.get(path, headers=forged)

    assert response.json()["resource"] == "http://localhost:8081/mcp"
    assert response.json()["authorization_servers"] == ["http://localhost:8080"]


@pytest.mark.standard("MCP 2026-07-28 basic: _meta")
@pytest.mark.parametrize(
    "missing",
    [
        "io.modelcontextprotocol/protocolVersion",
        "io.modelcontextprotocol/clientCapabilities",
    ],
)
async def test_a_request_without_its_meta_is_invalid_params(world: "World", missing: str) -> None:
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    del meta[missing]
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    modern = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}
    async with world.running() as door:
        response = await door.http.post(
            "/mcp", json=message, headers=legacy_headers(world.sign_in(), **modern)
        )

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32602


@pytest.mark.standard("MCP 2026-07-28 basic: resultType")
async def test_every_result_says_that_it_is_complete(world: "World") -> None:
    handle = world.sign_in()
    async with world.running() as door:
        for method in ("server/discover", "tools/list", "resources/list", "prompts/list"):
            result = (await door.post(method, handle=handle)).json()["result"]
            assert result["resultType"] == "complete", method
        called = await door.call("who_am_i", handle=handle)

    assert called.json()["result"]["resultType"] == "complete"


@pytest.mark.standard(
    "MCP 2025-11-25 lifecycle: initialize", "MCP 2025-11-25 lifecycle: initialized"
)
@pytest.mark.parametrize(
    ("requested", "agreed"),
    [(LEGACY, LEGACY), ("2025-06-18", "2025-06-18"), ("1900-01-01", LEGACY)],
)
async def test_a_handshake_agrees_on_a_version_that_both_know(
    world: "World", requested: str, agreed: str
) -> None:
    headers = legacy_headers(world.sign_in())
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    async with world.running() as door:
        answer = await door.http.post("/mcp", json=initialize(requested), headers=headers)
        noted = await door.http.post(
            "/mcp", json=initialized, headers=headers | {"MCP-Protocol-Version": agreed}
        )

    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    assert result["protocolVersion"] == agreed
    assert result["serverInfo"]["name"] == "mcp-pingone-todos"
    assert "tools" in result["capabilities"]
    assert noted.status_code == 202


@pytest.mark.standard("MCP 2025-11-25 ping")
async def test_a_ping_is_answered_with_nothing(world: "World") -> None:
    async with world.running() as door:
        response = await door.post("ping", handle=world.sign_in(), version=LEGACY)

    assert response.json()["result"] == {}


@pytest.mark.standard("MCP 2025-11-25 transports: no version header")
async def test_a_request_without_a_version_header_is_served_as_the_older_era(
    world: "World",
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with world.running() as door:
        response = await door.http.post(
            "/mcp", json=message, headers=legacy_headers(world.sign_in())
        )

    assert response.status_code == 200
    assert len(response.json()["result"]["tools"]) == 5


@pytest.mark.standard("RFC 6750 2.1 spaces")
async def test_several_spaces_may_follow_the_scheme(world: "World") -> None:
    headers = legacy_headers(world.sign_in())
    headers["Authorization"] = headers["Authorization"].replace("Bearer ", "Bearer   ")
    async with world.running() as door:
        response = await door.http.post("/mcp", json=initialize(LEGACY), headers=headers)

    assert response.status_code == 200


@pytest.mark.standard("MCP 2026-07-28 basic: unknown method")
@pytest.mark.parametrize(
    "method",
    ["initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/get", "secret/x"],
)
async def test_what_the_newest_revision_does_not_have_is_unknown_there(
    world: "World", method: str
) -> None:
    async with world.running() as door:
        response = await door.post(method, handle=world.sign_in())

    assert response.status_code == 404
    error = response.json()["error"]
    assert error["code"] == -32601
    assert "secret" not in error["message"]


@pytest.mark.standard("MCP 2026-07-28 resources: not found")
async def test_a_resource_that_is_not_there_is_invalid_params(world: "World") -> None:
    async with world.running() as door:
        response = await door.post(
            "resources/read",
            {"uri": "todo://list"},
            handle=world.sign_in(),
            headers={"Mcp-Name": "todo://list"},
        )

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32602


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json, text/event-stream", 200),
        ("application/json", 200),
        ("*/*", 200),
        ("text/event-stream", 406),
        ("text/html", 406),
    ],
)
async def test_a_client_that_takes_json_is_served(
    world: "World", era: str, accept: str, status: int
) -> None:
    async with world.running() as door:
        response = await door.post(
            "tools/list", handle=world.sign_in(), version=era, headers={"Accept": accept}
        )

    assert response.status_code == status
