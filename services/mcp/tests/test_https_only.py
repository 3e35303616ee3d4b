"""Behind https every answer tells browsers to come by https only; in development none does."""

from typing import TYPE_CHECKING

import httpx
import pytest

from mcp_server.app import run_service
from service_kit.health import Lifecycle

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

HEADER = "strict-transport-security"


async def answers(world: "World", origin: str) -> tuple[list[httpx.Response], httpx.Response]:
    """Answers of the public port, and one of the internal port."""
    async with run_service(world.settings(), Lifecycle()) as (public, internal):
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(public.app), base_url=origin
        ) as outside:
            seen = [
                await outside.get("/.well-known/oauth-protected-resource"),
                await outside.post("/mcp"),
                await outside.get("/mcp"),
                await outside.post("/mcp", headers={"host": "evil.example"}),
                await outside.get("/none"),
            ]
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(internal.app), base_url="http://localhost:8091"
        ) as inside:
            return seen, await inside.get("/livez")


@pytest.mark.standard("RFC 6797 7.1", "RFC 6797 6.1.2")
async def test_every_answer_of_the_public_port_says_that_it_is_https_only(world: "World") -> None:
    world.variables |= {
        "mcp_resource": "https://mcp.example.com/mcp",
        "auth_issuer": "https://auth.example.com",
        "introspection_client_secret": "9c0f5f3e4b7a4f0a8d6e1b2c3d4e5f60",
        "mcp_request_state_keys": "f1d2c3b4a5968778695a4b3c2d1e0f00",
    }
    seen, internal = await answers(world, "https://mcp.example.com")
    assert [response.status_code for response in seen] == [200, 401, 405, 421, 404]
    for response in seen:
        assert response.headers.get_list(HEADER) == ["max-age=63072000"]
    assert HEADER not in internal.headers


@pytest.mark.standard("RFC 6797 7.2")
async def test_in_development_nothing_is_said(world: "World") -> None:
    seen, internal = await answers(world, "http://localhost:8081")
    assert not [response for response in [*seen, internal] if HEADER in response.headers]
