"""A refresh at PingOne failed: when it is tried again, by whom, and what the others hear meanwhile.

A refresh token that is sent twice may be the replay for which PingOne revokes the whole family. So
an attempt whose outcome is unknown is repeated within PingOne's grace, or when the token at hand is
dead: then there is nothing to lose.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

import httpx2
import pytest
from auth_back_channel import (
    Failure,
    answering,
    asked,
    downstream,
    fail_at,
    heal,
    impatient,
    lose_answers,
    raising,
    refreshes,
    refusal,
    replica_of,
)
from auth_harness import AuthUnderTest, auth_under_test

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# PingOne's tokens live for 600 s here. At 480 s a refresh is due for certain, and from 570 s on the
# token is as good as dead.
TOKEN_SECONDS = 600
DUE, AS_GOOD_AS_DEAD, EXPIRED = 480, 570, 600
BACK_OFF, LEASE = 5, 50

WithGrace = Callable[[int], AbstractAsyncContextManager[AuthUnderTest]]

AMBIGUOUS = [
    pytest.param(raising(httpx2.ReadTimeout), id="timeout"),
    pytest.param(raising(httpx2.ReadError), id="reset"),
    pytest.param(answering(502, "<html>"), id="502"),
    pytest.param(answering(200, "<html>"), id="unreadable"),
    pytest.param(answering(200, "{}"), id="no token"),
]
DEFINITE = [
    pytest.param(raising(httpx2.ConnectError), id="no connection"),
    pytest.param(answering(429), id="429"),
    pytest.param(answering(401, '{"error":"invalid_client"}'), id="our secret is wrong"),
]


@pytest.fixture
def with_grace(database_url: str) -> WithGrace:
    """The server beside a PingOne with this grace, both knowing of it."""
    return lambda seconds: auth_under_test(
        database_url,
        simulator={"access_token_seconds": TOKEN_SECONDS, "refresh_grace_seconds": seconds},
        pingone_refresh_grace_seconds=seconds,
    )


@pytest.fixture
async def auth(with_grace: WithGrace) -> AsyncIterator[AuthUnderTest]:
    """Without a grace, as both are unless told otherwise."""
    async with with_grace(0) as auth:
        yield auth


async def is_still_served(auth: AuthUnderTest, access: str) -> bool:
    """Introspect, and await what that starts; whether the handle is active."""
    is_active = await auth.is_active(access)
    await auth.settle()
    return is_active


@ON_SQLITE
@pytest.mark.parametrize("failure", AMBIGUOUS)
async def test_without_a_grace_an_unknown_outcome_is_left_alone_while_the_token_lives(
    auth: AuthUnderTest, failure: Failure
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=DUE)
    fail_at(auth, "/token", failure)
    assert await is_still_served(auth, access)
    heal(auth)
    for seconds in (1, LEASE, AS_GOOD_AS_DEAD - DUE - LEASE - 2):
        auth.clock.advance(seconds=seconds)
        assert await is_still_served(auth, access)
        assert refreshes(auth) == 0
    auth.clock.advance(seconds=1)
    await downstream(auth, access)
    assert refreshes(auth) == 1


async def test_without_a_grace_a_lost_answer_costs_one_sign_in_and_not_before_the_token_is_dead(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=DUE)
    lose_answers(auth)
    assert await is_still_served(auth, access)
    heal(auth)
    auth.clock.advance(seconds=AS_GOOD_AS_DEAD - DUE - 1)
    assert await is_still_served(auth, access)
    auth.clock.advance(seconds=1)
    assert not await auth.is_active(access)
    assert refreshes(auth) == 2
    await downstream(auth, (await auth.obtain_handles())["access_token"])


async def test_within_the_grace_a_lost_answer_is_asked_for_again_and_given(
    with_grace: WithGrace,
) -> None:
    async with with_grace(120) as auth:
        access = (await auth.obtain_handles())["access_token"]
        first = await downstream(auth, access)
        auth.clock.advance(seconds=DUE)
        lose_answers(auth)
        assert await is_still_served(auth, access)
        heal(auth)
        auth.clock.advance(seconds=BACK_OFF - 1)
        assert await is_still_served(auth, access)
        assert refreshes(auth) == 1
        auth.clock.advance(seconds=1)
        assert await is_still_served(auth, access)
        assert refreshes(auth) == 2
        assert (await downstream(auth, access))["access_token"] != first["access_token"]
        # What was unknown is known again: the next refresh is like any other.
        auth.clock.advance(seconds=EXPIRED)
        await downstream(auth, access)
        assert refreshes(auth) == 3


@ON_SQLITE
@pytest.mark.parametrize(
    ("seconds", "is_repeated"), [pytest.param(50, True), pytest.param(51, False)]
)
async def test_a_repetition_must_reach_pingone_before_its_grace_ends(
    with_grace: WithGrace, seconds: int, is_repeated: bool
) -> None:
    async with with_grace(60) as auth:
        access = (await auth.obtain_handles())["access_token"]
        auth.clock.advance(seconds=DUE)
        lose_answers(auth)
        assert await is_still_served(auth, access)
        heal(auth)
        # The request may take ten seconds to arrive.
        auth.clock.advance(seconds=seconds)
        assert await is_still_served(auth, access)
        assert refreshes(auth) == (2 if is_repeated else 1)


@pytest.mark.parametrize("grace", [0, 60])
async def test_a_holder_that_died_is_an_unknown_outcome_too(
    with_grace: WithGrace, grace: int
) -> None:
    async with with_grace(grace) as auth:
        access = (await auth.obtain_handles())["access_token"]
        grant_id = (await auth.introspect(access)).json()["grant_id"]
        auth.clock.advance(seconds=DUE)
        await take_the_lease_and_die(auth, grant_id)
        auth.clock.advance(seconds=LEASE - 1)
        assert await is_still_served(auth, access)
        assert refreshes(auth) == 0
        auth.clock.advance(seconds=1)
        assert await is_still_served(auth, access)
        assert refreshes(auth) == (1 if grace else 0)
        auth.clock.advance(seconds=AS_GOOD_AS_DEAD - DUE - LEASE)
        await downstream(auth, access)
        assert refreshes(auth) == 1


async def test_while_a_dead_holders_lease_runs_a_dead_token_is_an_outage(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    grant_id = (await auth.introspect(access)).json()["grant_id"]
    auth.clock.advance(seconds=EXPIRED)
    await take_the_lease_and_die(auth, grant_id)
    async with impatient(auth) as introspect:
        assert refusal(await introspect(access), 503) == "temporarily_unavailable"
    await auth.settle()
    auth.clock.advance(seconds=LEASE)
    await downstream(auth, access)
    assert refreshes(auth) == 1


async def take_the_lease_and_die(auth: AuthUnderTest, grant_id: str) -> None:
    """What a replica leaves behind that is killed between asking PingOne and storing."""
    async with auth.resources.database.transaction() as tx:
        assert await tx.upstream_tokens.acquire_lease(
            grant_id,
            version=1,
            owner="killed",
            now=auth.clock(),
            lease_until=auth.clock() + timedelta(seconds=LEASE),
            repeat_since=None,
        )


@pytest.mark.parametrize(
    "retry_after", ["130", "Mon, 02 Nov 2026 09:40:10 GMT"], ids=["seconds", "date"]
)
@pytest.mark.parametrize("status", [429, 503])
async def test_pingones_retry_after_holds_for_all_replicas(
    auth: AuthUnderTest, status: int, retry_after: str
) -> None:
    assert auth.clock() == datetime.fromisoformat("2026-11-02T09:30:00Z")
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=DUE)
    fail_at(auth, "/token", answering(status, retry_after=retry_after))
    assert await is_still_served(auth, access)
    heal(auth)
    auth.clock.advance(seconds=129)
    async with replica_of(auth) as other:
        for replica in (auth, other):
            response = await replica.introspect(access)
            assert refusal(response, 503) == "temporarily_unavailable"
            assert response.headers["retry-after"] == "1"
        assert refreshes(auth) == 0
        auth.clock.advance(seconds=1)
        await downstream(other, access)
        assert refreshes(auth) == 1


@ON_SQLITE
async def test_nobody_waits_for_longer_than_a_quarter_of_an_hour(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=EXPIRED)
    fail_at(auth, "/token", answering(429, retry_after="99999999999"))
    assert (await auth.introspect(access)).headers["retry-after"] == "900"


@ON_SQLITE
@pytest.mark.parametrize("failure", DEFINITE + AMBIGUOUS)
async def test_after_a_failure_pingone_is_left_alone_for_a_moment(
    auth: AuthUnderTest, failure: Failure
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=EXPIRED)
    fail_at(auth, "/token", failure)
    before = asked(auth, "/token")
    for passed, left in ((0, "5"), (0, "5"), (3, "2"), (1, "1")):
        auth.clock.advance(seconds=passed)
        response = await auth.introspect(access)
        assert refusal(response, 503) == "temporarily_unavailable"
        assert response.headers["retry-after"] == left
    assert asked(auth, "/token") == before + 1
    heal(auth)
    auth.clock.advance(seconds=1)
    await downstream(auth, access)


@ON_SQLITE
@pytest.mark.parametrize("failure", DEFINITE)
async def test_what_was_certainly_not_carried_out_is_tried_again_while_the_token_lives(
    auth: AuthUnderTest, failure: Failure
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=DUE)
    fail_at(auth, "/token", failure)
    assert await is_still_served(auth, access)
    heal(auth)
    auth.clock.advance(seconds=BACK_OFF)
    assert await is_still_served(auth, access)
    assert refreshes(auth) == 1


@ON_SQLITE
@pytest.mark.parametrize("seconds", [0.05, 10, 20])
async def test_lease_and_drain_of_every_configuration_outlast_two_time_outs(
    database_url: str, seconds: float
) -> None:
    # A lease that does not would be refused at the start.
    async with auth_under_test(database_url, pingone_timeout_seconds=seconds) as auth:
        settings = auth.resources.settings
        assert settings.refresh_lease > 2 * timedelta(seconds=settings.pingone_timeout_seconds)
        assert settings.drain_seconds > 2 * settings.pingone_timeout_seconds
