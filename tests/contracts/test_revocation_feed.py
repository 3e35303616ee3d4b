"""What auth's feed says is what mcp understands: a revoked handle is refused at the next call."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
import pytest
from auth_harness import INTROSPECTION_CLIENT, ISSUER, RESOURCE, AuthUnderTest
from prometheus_client import CollectorRegistry
from revocation_streams import eventually, served

from auth_server.app import create_internal_app
from mcp_server.app import create_verifier, follow_revocations, run_public_app
from mcp_server.handle_verifier import AiohttpIntrospector, FeedPulse
from mcp_server.settings import Settings
from mcp_server.todo_client import AiohttpTodoApi
from service_kit.health import Lifecycle


@dataclass
class Mcp:
    """The MCP server's front door and metrics."""

    http: httpx.AsyncClient
    registry: CollectorRegistry

    async def call(self, handle: str) -> httpx.Response:
        """Call a tool that needs no API."""
        params = {"name": "who_am_i", "arguments": {}}
        return await self.http.post(
            "/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
            headers={
                "Authorization": f"Bearer {handle}",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2025-11-25",
            },
        )

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    def introspections(self, outcome: str) -> float:
        return self.count("mcp_introspections_total", outcome=outcome)

    def events(self, event: str) -> float:
        return self.count("mcp_revocation_feed_events_total", event=event)

    def is_connected(self) -> bool:
        return self.count("mcp_revocation_feed_connected") == 1


@asynccontextmanager
async def running_mcp(auth: AuthUnderTest, lifecycle: Lifecycle) -> AsyncIterator[Mcp]:
    """The MCP server, following the feed of the real auth over a socket, on auth's clock."""
    registry = CollectorRegistry()
    async with (
        served(create_internal_app(auth.resources, lifecycle)) as url,
        aiohttp.ClientSession() as session,
    ):
        client_id, client_secret = INTROSPECTION_CLIENT
        settings = Settings(
            mcp_resource=RESOURCE,
            mcp_introspection_cache_seconds=60,
            auth_issuer=ISSUER,
            auth_internal_url=url,
            introspection_client_id=client_id,
            introspection_client_secret=client_secret,
            api_url="http://localhost:8082",
        )
        introspector = AiohttpIntrospector(
            session, auth_internal_url=url, client_id=client_id, client_secret=client_secret
        )
        pulse = FeedPulse(auth.clock.monotonic)
        verifier = create_verifier(settings, introspector, pulse, registry)
        verifier._now = verifier._monotonic = auth.clock.monotonic
        todo_api = AiohttpTodoApi(session, api_url=settings.api_url)
        async with (
            follow_revocations(settings, session, verifier, pulse, registry),
            run_public_app(settings, verifier, todo_api, registry) as app,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://localhost:8081"
            ) as http,
        ):
            mcp = Mcp(http, registry)
            await eventually(mcp.is_connected)
            yield mcp


async def revoke(auth: AuthUnderTest, handles: dict[str, Any]) -> None:
    data = {"token": handles["refresh_token"], "client_id": auth.client_id}
    assert (await auth.anyone.post("/revoke", data=data)).status_code == 200


@pytest.mark.standard("RFC 7009 2.1 propagation")
async def test_the_first_call_after_a_revocation_is_refused_though_the_answer_was_remembered(
    auth: AuthUnderTest,
) -> None:
    handles, others = await auth.obtain_handles(), await auth.obtain_handles(username="bob")
    async with running_mcp(auth, Lifecycle()) as mcp:
        for item in (handles, handles, others):
            assert (await mcp.call(item["access_token"])).status_code == 200
        assert (mcp.introspections("live"), mcp.introspections("hit")) == (2, 1)
        await revoke(auth, handles)
        await eventually(lambda: mcp.events("revoked") == 1)
        response = await mcp.call(handles["access_token"])
        assert response.status_code == 401
        assert 'error="invalid_token"' in response.headers["www-authenticate"]
        assert (await mcp.call(others["access_token"])).status_code == 200
        assert mcp.introspections("hit") == 2


async def test_when_auth_has_ended_the_feed_no_answer_older_than_a_second_is_used(
    auth: AuthUnderTest,
) -> None:
    handles, lifecycle = await auth.obtain_handles(), Lifecycle()
    async with running_mcp(auth, lifecycle) as mcp:
        assert (await mcp.call(handles["access_token"])).status_code == 200
        lifecycle.mark_draining()
        await eventually(lambda: not mcp.is_connected())
        assert (await mcp.call(handles["access_token"])).status_code == 200
        assert mcp.introspections("hit") == 1
        await revoke(auth, handles)
        auth.clock.advance(seconds=1.1)
        assert (await mcp.call(handles["access_token"])).status_code == 401
        assert mcp.events("revoked") == 0
