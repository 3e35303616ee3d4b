"""Which Host and Origin headers are answered, and what web pages may read."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World


@pytest.mark.standard("MCP 2026-07-28 streamable-http: Origin", "MCP 2025-11-25 transports: Origin")
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil:8081"])
async def test_a_foreign_origin_is_403(world: "World", era: str, origin: str) -> None:
    async with world.running() as door:
        response = await door.post(
            "tools/list", handle=world.sign_in(), version=era, headers={"Origin": origin}
        )

    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:8081", "localhost:8081x", "localhost:8081:1"]
)
async def test_a_foreign_host_is_421(world: "World", era: str, host: str) -> None:
    async with world.running() as door:
        response = await door.post(
            "tools/list", handle=world.sign_in(), version=era, headers={"Host": host}
        )

    assert response.status_code == 421


async def test_a_host_has_no_case(world: "World", era: str) -> None:
    async with world.running() as door:
        response = await door.post(
            "tools/list",
            handle=world.sign_in(),
            version=era,
            headers={"Host": "LocalHost:8081"},
        )

    assert response.status_code == 200


@pytest.mark.standard("MCP 2026-07-28 streamable-http: Origin")
async def test_in_production_only_the_own_host_and_the_named_origins_are_served(
    world: "World", era: str
) -> None:
    world.variables |= {
        "mcp_resource": "https://mcp.example.com/mcp",
        "introspection_client_secret": "k3Jx8vQpZr5TnWbY7cLm",
        "mcp_request_state_keys": "Zt6Wc1Rb9Lq4Yx7Nd2Mf8Ks3Vh5Pg0Ja",
        "mcp_allowed_origins": "https://app.example.com, https://other.example.com",
    }
    handle = world.sign_in(aud="https://mcp.example.com/mcp")
    expected = [
        ("mcp.example.com", None, 200),
        ("mcp.example.com:443", None, 200),
        ("mcp.example.com", "https://other.example.com", 200),
        ("mcp.example.com", "https://mcp.example.com", 200),
        ("mcp.example.com", "http://localhost:6274", 403),
        ("mcp.example.com", "https://app.example.com.evil.com", 403),
        ("mcp.example.com:8081", None, 421),
        ("localhost:8081", None, 421),
    ]
    async with world.running() as door:
        for host, origin, status in expected:
            headers = {"Host": host} | ({"Origin": origin} if origin else {})
            response = await door.post("tools/list", handle=handle, version=era, headers=headers)
            assert (host, origin, response.status_code) == (host, origin, status)


async def test_a_preflight_needs_no_handle_and_lets_pages_read_the_challenge(
    world: "World",
) -> None:
    origin = "http://localhost:6274"
    wanted = "authorization,content-type,mcp-protocol-version,mcp-method,mcp-name"
    async with world.running() as door:
        preflight = await door.http.options(
            "/mcp",
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": wanted,
            },
        )
        refused = await door.post("tools/list", handle=None, headers={"Origin": origin})

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in preflight.headers
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == origin
    assert "WWW-Authenticate" in refused.headers["access-control-expose-headers"]


async def test_further_hosts_and_any_port_of_one_are_answered_as_configured(
    world: "World", era: str
) -> None:
    world.variables |= {
        "mcp_resource": "https://mcp.example.com/mcp",
        "introspection_client_secret": "k3Jx8vQpZr5TnWbY7cLm",
        "mcp_request_state_keys": "Zt6Wc1Rb9Lq4Yx7Nd2Mf8Ks3Vh5Pg0Ja",
        "mcp_allowed_hosts": "mcp.internal:8081, mcp, gateway.internal:*, [fd00::1]:8081",
        "mcp_allowed_origins": "http://localhost:*, vscode-webview://viewer",
    }
    handle = world.sign_in(aud="https://mcp.example.com/mcp")
    expected = [
        ("mcp.example.com", None, 200),
        ("mcp.internal:8081", None, 200),
        ("mcp.internal", None, 421),
        ("mcp.internal:8082", None, 421),
        ("mcp", None, 200),
        ("mcp:80", None, 421),
        ("gateway.internal:31337", None, 200),
        ("gateway.internal", None, 421),
        ("gateway.internal:", None, 421),
        ("gateway.internal:1.evil.example", None, 421),
        ("evil-gateway.internal:1", None, 421),
        ("gatewayXinternal:1", None, 421),
        ("[fd00::1]:8081", None, 200),
        ("mcp", "http://localhost:6274", 200),
        ("mcp", "http://localhost", 403),
        ("mcp", "http://localhost:6274.evil.example", 403),
        ("mcp", "vscode-webview://viewer", 200),
        ("mcp", "http://mcp.internal:8081", 403),
    ]
    async with world.running() as door:
        for host, origin, status in expected:
            headers = {"Host": host} | ({"Origin": origin} if origin else {})
            response = await door.post("tools/list", handle=handle, version=era, headers=headers)
            assert (host, origin, response.status_code) == (host, origin, status)
            allowed = response.headers.get("access-control-allow-origin")
            assert allowed == (origin if status == 200 else None)
