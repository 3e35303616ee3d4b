"""A grant's PingOne tokens stay alive: refreshed when due, once, by whichever replica is first.

PingOne revokes all descendants of a refresh token that is sent twice, and so does the simulator:
a second request with the same one would show as an inactive handle.
"""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import httpx2
import pytest
from auth_back_channel import (
    database_outage,
    downstream,
    impatient,
    is_for,
    keep_token_answers,
    refreshes,
    refusal,
    replica_of,
)
from auth_harness import AuthUnderTest, PassOn, auth_under_test
from structlog.testing import capture_logs

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# PingOne's tokens live for 600 s here. A refresh is due for certain 120 s before the end, never
# more than 180 s before it, and for the last 30 s the token is not handed out.
TOKEN_SECONDS = 600
NOT_DUE, DUE, AS_GOOD_AS_DEAD, EXPIRED = 419, 480, 571, 600


@pytest.fixture
async def auth(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The authorization server beside a PingOne whose access tokens do not live for long."""
    settings = {"access_token_seconds": TOKEN_SECONDS}
    async with auth_under_test(database_url, simulator=settings) as auth:
        yield auth


class Gate:
    """Holds PingOne's answers to refreshes until it is opened."""

    def __init__(self, auth: AuthUnderTest) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        auth.pingone.intercept = self._intercept

    async def _intercept(self, request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        response = await pass_on(request)
        if is_for(request, "/token"):
            self.reached.set()
            await self.opened.wait()
        return response


@ON_SQLITE
async def test_a_fresh_token_is_served_without_asking_pingone(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    first = await downstream(auth, access)
    requests_before = len(auth.pingone.requests)
    auth.clock.advance(seconds=NOT_DUE)
    assert await downstream(auth, access) == first
    await auth.settle()
    assert len(auth.pingone.requests) == requests_before


async def test_a_due_token_is_served_at_once_and_refreshed_behind_it(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    first = await downstream(auth, access)
    auth.clock.advance(seconds=DUE)
    gate = Gate(auth)
    # PingOne does not answer before the gate opens, and yet nobody waits.
    assert await downstream(auth, access) == first
    assert await downstream(auth, access) == first
    await gate.reached.wait()
    # The second caller joined the first one's refresh instead of queueing for the lease.
    names = [task.get_name() for task in asyncio.all_tasks()]
    assert names.count("refresh-upstream") == 1
    gate.opened.set()
    await auth.settle()
    second = await downstream(auth, access)
    assert second["access_token"] != first["access_token"]
    assert second["expires_at"] == first["expires_at"] + DUE
    assert refreshes(auth) == 1


async def test_a_dead_token_is_refreshed_before_the_answer(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    first = await downstream(auth, access)
    for count, seconds in enumerate((AS_GOOD_AS_DEAD, EXPIRED, EXPIRED + 100), start=1):
        auth.clock.advance(seconds=seconds)
        token = await downstream(auth, access)
        assert token["expires_at"] == int(auth.clock().timestamp()) + TOKEN_SECONDS
        assert {**token, "access_token": "", "expires_at": 0} == {
            **first,
            "access_token": "",
            "expires_at": 0,
        }
        assert refreshes(auth) == count


async def test_twenty_introspections_at_expiry_are_one_refresh(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=EXPIRED)
    tokens = await asyncio.gather(*(downstream(auth, access) for _ in range(20)))
    assert len({token["access_token"] for token in tokens}) == 1
    assert refreshes(auth) == 1


async def test_two_replicas_at_expiry_are_one_refresh(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=EXPIRED)
    async with replica_of(auth) as other:
        both = (auth, other) * 5
        tokens = await asyncio.gather(*(downstream(one, access) for one in both))
        assert len({token["access_token"] for token in tokens}) == 1
        assert refreshes(auth) == 1


async def test_a_replica_waits_for_the_one_that_holds_the_lease(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=EXPIRED)
    gate = Gate(auth)
    first = asyncio.create_task(downstream(auth, access))
    await gate.reached.wait()
    async with replica_of(auth) as other:
        # It has no task of its own to join, so only the lease keeps it from asking PingOne too.
        async with impatient(other) as introspect:
            waited_in_vain = await introspect(access)
        assert refusal(waited_in_vain, 503) == "temporarily_unavailable"
        second = asyncio.create_task(downstream(other, access))
        gate.opened.set()
        assert await first == await second
        assert refreshes(auth) == 1


@ON_SQLITE
async def test_a_caller_that_leaves_does_not_take_the_refresh_with_it(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=EXPIRED)
    gate = Gate(auth)
    caller = asyncio.create_task(auth.introspect(access))
    await gate.reached.wait()
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    gate.opened.set()
    await auth.settle()
    await downstream(auth, access)
    assert refreshes(auth) == 1


@ON_SQLITE
async def test_a_refresh_that_takes_too_long_is_an_outage_now_and_a_token_later(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=EXPIRED)
    gate = Gate(auth)
    async with impatient(auth) as introspect:
        response = await introspect(access)
        assert refusal(response, 503) == "temporarily_unavailable"
        assert int(response.headers["retry-after"]) > 0
    gate.opened.set()
    await auth.settle()
    await downstream(auth, access)
    assert refreshes(auth) == 1


@ON_SQLITE
async def test_shutdown_awaits_a_refresh_that_nobody_waits_for(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=DUE)
    gate = Gate(auth)
    async with replica_of(auth) as leaving:
        await downstream(leaving, access)
        await gate.reached.wait()
        [refresh] = [task for task in asyncio.all_tasks() if task.get_name() == "refresh-upstream"]
        # PingOne answers when the shutdown has begun.
        asyncio.get_running_loop().call_later(0.05, gate.opened.set)
    assert refresh.done()
    assert not refresh.cancelled()
    auth.clock.advance(seconds=EXPIRED - DUE)
    await downstream(auth, access)
    assert refreshes(auth) == 1


async def test_what_pingone_rotated_to_is_stored_when_the_database_is_back(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=EXPIRED)
    gate = Gate(auth)
    async with impatient(auth) as introspect:
        assert (await introspect(access)).status_code == 503
        await gate.reached.wait()
        async with database_outage(auth), asyncio.timeout(10):
            with capture_logs() as logs:
                gate.opened.set()
                # Only the log tells that storing has failed once.
                while not any(  # noqa: ASYNC110
                    line["event"] == "upstream.not_stored_yet" for line in logs
                ):
                    await asyncio.sleep(0.01)
    await auth.settle()
    await downstream(auth, access)
    assert refreshes(auth) == 1


async def test_a_grant_that_is_revoked_during_its_refresh_stays_revoked(
    auth: AuthUnderTest,
) -> None:
    at_pingone = keep_token_answers(auth)
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=EXPIRED)
    gate = Gate(auth)
    asked_before = asyncio.create_task(auth.introspect(access))
    await gate.reached.wait()
    form = {"client_id": auth.client_id, "token": access}
    assert (await auth.anyone.post("/revoke", data=form)).status_code == 200
    gate.opened.set()
    assert (await asked_before).json() == {"active": False}
    assert not await auth.is_active(access)
    await auth.settle()
    assert not auth.simulator.is_family_live(at_pingone[0]["refresh_token"])


@pytest.mark.standard("OIDC Core 12.1")
@ON_SQLITE
async def test_the_refreshed_refresh_token_is_the_one_that_is_used_next(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    for _ in range(3):
        auth.clock.advance(seconds=EXPIRED)
        await downstream(auth, access)
    sent = [
        parse_qs(request.content.decode())["refresh_token"][0]
        for request in auth.pingone.requests
        if is_for(request, "/token") and b"grant_type=refresh_token" in request.content
    ]
    assert len(sent) == len(set(sent)) == 3


@pytest.mark.standard("OIDC Core 12.1")
@ON_SQLITE
async def test_a_pingone_that_does_not_rotate_is_sent_the_same_refresh_token_again(
    database_url: str,
) -> None:
    async def without_rotation(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        response = await pass_on(request)
        if not is_for(request, "/token"):
            return response
        await response.aread()
        body = response.json()
        if b"grant_type=refresh_token" in request.content:
            del body["refresh_token"]
        return httpx2.Response(200, json=body)

    # In its grace period the simulator takes a refresh token again, as such a PingOne does.
    settings = {"access_token_seconds": TOKEN_SECONDS, "refresh_grace_seconds": 86_400}
    async with auth_under_test(database_url, simulator=settings) as auth:
        auth.pingone.intercept = without_rotation
        access = (await auth.obtain_handles())["access_token"]
        for _ in range(2):
            auth.clock.advance(seconds=EXPIRED)
            await downstream(auth, access)
        assert refreshes(auth) == 2


@ON_SQLITE
async def test_without_a_refresh_token_the_grant_ends_with_the_access_token(
    auth: AuthUnderTest,
) -> None:
    async def without_refresh_token(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        response = await pass_on(request)
        if not is_for(request, "/token"):
            return response
        await response.aread()
        body = response.json()
        del body["refresh_token"]
        return httpx2.Response(200, json=body)

    auth.pingone.intercept = without_refresh_token
    handles = await auth.obtain_handles()
    first = await downstream(auth, handles["access_token"])
    auth.clock.advance(seconds=AS_GOOD_AS_DEAD - 2)
    assert await downstream(auth, handles["access_token"]) == first
    auth.clock.advance(seconds=2)
    assert not await auth.is_active(handles["access_token"])
    assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"
    assert refreshes(auth) == 0
