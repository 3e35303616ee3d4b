"""`GET /revocations`: who is told, of what, and what a stream promises by its heartbeats."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any

import httpx
import httpx2
import pytest
from auth_back_channel import is_for, refusal, replica_of
from auth_harness import INTERNAL, INTROSPECTION_CLIENT, AuthUnderTest
from prometheus_client import CollectorRegistry
from revocation_streams import END, HEARTBEAT, READY, WAIT_SECONDS, reading, served, stream_of

from auth_server.app import Resources, create_internal_app
from auth_server.domain.grants import RevocationReason
from auth_server.domain.handles import digest
from auth_server.domain.resources import ProtectedResource, ProtectedResources
from auth_server.domain.revocations import Revocation
from auth_server.flows.revoke_grant import RevokeGrant
from auth_server.flows.sweep_expired import SweepExpired
from auth_server.storage.revocation_feed import FeedMetrics, RevocationFeed, SqliteSource
from auth_server.storage.revocation_feed.postgresql import PROBE_SECONDS
from service_kit.health import Lifecycle

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NEIGHBOUR = ("neighbour", "the-neighbour-introspects-with-this")


async def sign_in(auth: AuthUnderTest, **options: Any) -> tuple[dict[str, Any], str]:
    """Handles, and the id of their grant."""
    handles = await auth.obtain_handles(**options)
    answer = (await auth.introspect(handles["access_token"])).json()
    return handles, answer["grant_id"]


async def revoke(auth: AuthUnderTest, handles: dict[str, Any]) -> None:
    data = {"token": handles["refresh_token"], "client_id": auth.client_id}
    assert (await auth.anyone.post("/revoke", data=data)).status_code == 200


async def test_a_stream_begins_with_ready_and_is_kept_alive_by_heartbeats(
    auth: AuthUnderTest,
) -> None:
    async with stream_of(auth) as reader:
        headers = reader.response.headers
        assert headers["content-type"].split(";")[0] == "text/event-stream"
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        # mcp trusts what it remembers for 0.9 s without one.
        assert PROBE_SECONDS <= 0.3
        async with asyncio.timeout(WAIT_SECONDS):
            assert [await reader.next() for _ in range(5)] == [HEARTBEAT] * 5


@pytest.mark.standard("RFC 7009 2.1 propagation")
async def test_a_grant_that_its_client_gives_back_is_told(auth: AuthUnderTest) -> None:
    handles, grant_id = await sign_in(auth)
    async with stream_of(auth) as reader:
        await revoke(auth, handles)
        assert await reader.next_event() == grant_id


async def test_a_replayed_code_is_told(auth: AuthUnderTest) -> None:
    code = await auth.obtain_code()
    handles = (await auth.exchange(code)).json()
    grant_id = (await auth.introspect(handles["access_token"])).json()["grant_id"]
    async with stream_of(auth) as reader:
        assert refusal(await auth.exchange(code)) == "invalid_grant"
        assert await reader.next_event() == grant_id


async def test_a_reused_refresh_handle_is_told(auth: AuthUnderTest) -> None:
    handles, grant_id = await sign_in(auth)
    assert (await auth.refresh(handles["refresh_token"])).status_code == 200
    auth.clock.advance(hours=1)
    async with stream_of(auth) as reader:
        assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"
        assert await reader.next_event() == grant_id


async def test_a_token_set_that_pingone_calls_dead_is_told(auth: AuthUnderTest) -> None:
    handles, grant_id = await sign_in(auth)
    auth.clock.advance(seconds=3500)
    auth.pingone.fail_with = lambda request: (
        httpx2.Response(400, json={"error": "invalid_grant"}) if is_for(request, "/token") else None
    )
    async with stream_of(auth) as reader:
        await auth.introspect(handles["access_token"])
        assert await reader.next_event() == grant_id
        assert not await auth.is_active(handles["access_token"])


async def test_a_grant_that_the_sweep_ends_is_told(auth: AuthUnderTest) -> None:
    _, grant_id = await sign_in(auth)
    auth.clock.advance(days=31)
    resources = auth.resources
    sweep = SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )
    async with stream_of(auth) as reader:
        await sweep()
        assert await reader.next_event() == grant_id


async def test_what_another_process_revokes_is_told(auth: AuthUnderTest) -> None:
    # As the command line does: without a feed of its own.
    _, grant_id = await sign_in(auth)
    resources = auth.resources
    revoke_grant = RevokeGrant(resources.database, resources.revoke_upstream, resources.now)
    async with stream_of(auth) as reader:
        await revoke_grant(grant_id, RevocationReason.CLIENT)
        assert await reader.next_event() == grant_id


async def test_a_revocation_that_is_rolled_back_is_not_told(auth: AuthUnderTest) -> None:
    _, kept = await sign_in(auth)
    handles, ended = await sign_in(auth, username="bob")
    async with stream_of(auth) as reader:
        with suppress(ZeroDivisionError):
            async with auth.resources.database.transaction() as tx:
                await auth.resources.revoke_grant.within(tx, kept, RevocationReason.CLIENT)
                raise ZeroDivisionError
        await revoke(auth, handles)
        assert await reader.next_event() == ended


@ON_POSTGRESQL
async def test_what_one_replica_revokes_the_other_tells(auth: AuthUnderTest) -> None:
    handles, grant_id = await sign_in(auth)
    async with replica_of(auth) as other, stream_of(other) as reader:
        await revoke(auth, handles)
        assert await reader.next_event() == grant_id


@ON_SQLITE
@pytest.mark.parametrize(
    "credential", [None, ("mcp", "not the secret"), ("stranger", INTROSPECTION_CLIENT[1])]
)
async def test_a_stream_needs_a_resource_servers_credential(
    auth: AuthUnderTest, credential: tuple[str, str] | None
) -> None:
    response = await auth.anyone.get(f"{INTERNAL}/revocations", auth=credential)
    assert refusal(response, 401) == "invalid_client"
    assert response.headers["www-authenticate"].startswith("Basic ")


def with_a_neighbour(auth: AuthUnderTest) -> tuple[Resources, ProtectedResource]:
    """The same process for one resource server more, and that one's resource."""
    own = auth.resources.protected.select([])
    neighbour = replace(
        own,
        identifier="https://neighbour.example.com/mcp",
        introspection_client_id=NEIGHBOUR[0],
        introspection_client_secret_digest=digest(NEIGHBOUR[1]),
    )
    return replace(auth.resources, protected=ProtectedResources([own, neighbour])), neighbour


@ON_SQLITE
async def test_a_resource_server_is_told_of_its_own_resource_only(auth: AuthUnderTest) -> None:
    resources, neighbour = with_a_neighbour(auth)
    handles, grant_id = await sign_in(auth)
    async with (
        served(create_internal_app(resources, Lifecycle())) as url,
        reading(url, INTROSPECTION_CLIENT) as mine,
        reading(url, NEIGHBOUR) as theirs,
    ):
        assert [await mine.next(), await theirs.next()] == [READY, READY]
        await revoke(auth, handles)
        resources.revocation_feed.publish(Revocation("theirs", neighbour.identifier))
        assert await mine.next_event() == grant_id
        assert await theirs.next_event() == "theirs"


@ON_SQLITE
async def test_a_server_that_opens_streams_without_end_is_told_so_and_its_neighbour_follows(
    auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth_server.storage.revocation_feed.streams.MAX_STREAMS", 6)
    monkeypatch.setattr("auth_server.storage.revocation_feed.streams.MIN_SHARE", 1)
    resources, neighbour = with_a_neighbour(auth)
    now = [0.0]
    feed = RevocationFeed(
        SqliteSource(resources.database, resources.now),
        FeedMetrics(CollectorRegistry()),
        resources=2,
        monotonic=lambda: now[0],
    )
    resources = replace(resources, revocation_feed=feed)
    async with (
        served(create_internal_app(resources, Lifecycle())) as url,
        AsyncExitStack() as streams,
    ):
        readers = []
        for _ in range(3):
            readers.append(await streams.enter_async_context(reading(url, NEIGHBOUR)))
            assert await readers[-1].next() == READY
        async with httpx.AsyncClient(auth=NEIGHBOUR, trust_env=False) as client:
            response = await client.get(f"{url}/revocations")
        assert refusal(response, 429) == "temporarily_unavailable"
        assert response.headers["retry-after"] == "3"
        assert "this resource server" in response.json()["error_description"]

        mine = await streams.enter_async_context(reading(url, INTROSPECTION_CLIENT))
        assert await mine.next() == READY
        # Later its oldest one goes for the next. Whoever reads that one knows that it has ended.
        now[0] += 3
        newest = await streams.enter_async_context(reading(url, NEIGHBOUR))
        assert await newest.next() == READY
        assert await readers[0].next_event() == END
        feed.publish(Revocation("theirs", neighbour.identifier))
        assert [await one.next_event() for one in (*readers[1:], newest)] == ["theirs"] * 3
        feed.publish(Revocation("mine", auth.resources.settings.mcp_resource))
        assert await mine.next_event() == "mine"
        await feed.close()
