"""Revocation at PingOne: remembered with the end that causes it, and tried until it is done."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import httpx2
import pytest
from auth_answers import count_rows, error_at_client
from auth_back_channel import (
    Failure,
    answering,
    asked,
    database_outage,
    fail_at,
    heal,
    is_for,
    keep_token_answers,
    lose_answers,
    raising,
    replica_of,
)
from auth_harness import AuthUnderTest, PassOn
from structlog.testing import capture_logs

from auth_server.domain.grants import RevocationReason
from auth_server.storage.tables import upstream_revocations

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# How long a row is left to the replica that took it.
CLAIM_SECONDS = 50
OLD_KEY, NEW_KEY = "k1:" + "A" * 43 + "=", "k2:" + "B" * 43 + "="


async def sign_out(auth: AuthUnderTest) -> None:
    """Sign in, and give the handle back."""
    await give_back(auth, (await auth.obtain_handles())["access_token"])


async def give_back(auth: AuthUnderTest, access: str) -> None:
    form = {"client_id": auth.client_id, "token": access}
    assert (await auth.anyone.post("/revoke", data=form)).status_code == 200


async def look(auth: AuthUnderTest) -> None:
    """What each replica does every few seconds."""
    auth.resources.send_revocations.wake()
    await auth.settle()


@ON_SQLITE
@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(answering(500), id="500"),
        pytest.param(answering(429), id="429"),
        pytest.param(answering(401, '{"error":"invalid_client"}'), id="our secret is wrong"),
        pytest.param(answering(400, '{"error":"invalid_client"}'), id="so it is with 400"),
        pytest.param(answering(404, "<html>"), id="wrong address"),
        pytest.param(raising(httpx2.ReadTimeout), id="timeout"),
        pytest.param(raising(httpx2.ConnectError), id="no connection"),
    ],
)
async def test_what_pingone_could_not_revoke_is_revoked_later(
    auth: AuthUnderTest, failure: Failure
) -> None:
    at_pingone = keep_token_answers(auth)
    access = (await auth.obtain_handles())["access_token"]
    fail_at(auth, "/revoke", failure)
    await give_back(auth, access)
    # For the person the end is at once, whatever PingOne does.
    assert not await auth.is_active(access)
    await auth.settle()
    assert asked(auth, "/revoke") == 1
    heal(auth)
    await look(auth)
    assert asked(auth, "/revoke") == 1
    auth.clock.advance(seconds=5)
    await look(auth)
    assert not auth.simulator.is_family_live(at_pingone[0]["refresh_token"])
    assert await count_rows(auth, upstream_revocations) == 0


@ON_SQLITE
async def test_it_is_tried_more_and_more_rarely_and_given_up_after_a_week(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    fail_at(auth, "/revoke", answering(503))
    await give_back(auth, access)
    await auth.settle()
    ends = auth.clock() + timedelta(days=7)
    attempts, given_up = 1, list[str]()
    while auth.clock() < ends:
        delay = min(5 * 2 ** (attempts - 1), 3600)
        # Jitter makes it sooner, by less than a half.
        auth.clock.advance(seconds=delay / 2 - 0.001)
        await look(auth)
        assert asked(auth, "/revoke") == attempts
        assert await count_rows(auth, upstream_revocations) == 1
        auth.clock.advance(seconds=delay / 2 + 0.001)
        with capture_logs() as logs:
            await look(auth)
        attempts += 1
        assert asked(auth, "/revoke") == attempts
        given_up += [line["log_level"] for line in logs if "given_up" in line["event"]]
    assert given_up == ["error"]
    assert await count_rows(auth, upstream_revocations) == 0


@pytest.mark.standard("RFC 7009 2.2.1 as client")
async def test_pingones_retry_after_is_kept_by_every_replica(auth: AuthUnderTest) -> None:
    fail_at(auth, "/revoke", answering(429, retry_after="600"))
    await sign_out(auth)
    await auth.settle()
    heal(auth)
    async with replica_of(auth) as other:
        auth.clock.advance(seconds=599)
        for replica in (auth, other):
            await look(replica)
        assert asked(auth, "/revoke") == 1
        auth.clock.advance(seconds=1)
        await look(other)
        assert await count_rows(auth, upstream_revocations) == 0


@ON_SQLITE
async def test_tokens_that_pingone_refuses_to_revoke_are_not_sent_again(
    auth: AuthUnderTest,
) -> None:
    refusal = '{"error":"unsupported_token_type"}'
    fail_at(auth, "/revoke", answering(400, refusal, correlation_id="the-one-they-ask-for"))
    with capture_logs() as logs:
        await sign_out(auth)
        await auth.settle()
    [line] = [line for line in logs if line["event"] == "upstream.revocation_refused"]
    assert line["log_level"] == "error"
    assert line["reason"] == "PingOne refused: unsupported_token_type [the-one-they-ask-for]"
    assert await count_rows(auth, upstream_revocations) == 0


async def test_two_replicas_at_once_share_the_work(auth: AuthUnderTest) -> None:
    fail_at(auth, "/revoke", answering(503))
    for _ in range(6):
        await sign_out(auth)
        await auth.settle()
    tried = asked(auth, "/revoke")
    heal(auth)
    auth.clock.advance(hours=1)
    async with replica_of(auth) as other:
        await asyncio.gather(*(look(replica) for replica in (auth, other, auth, other)))
    assert asked(auth, "/revoke") == tried + 6
    assert await count_rows(auth, upstream_revocations) == 0


async def test_killed_after_pingones_answer_it_is_sent_once_more_which_does_no_harm(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    async with AsyncExitStack() as outage:

        async def revoke_and_die(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
            response = await pass_on(request)
            if is_for(request, "/revoke"):
                await outage.enter_async_context(database_outage(auth))
            return response

        auth.pingone.intercept = revoke_and_die
        await give_back(auth, access)
        await auth.settle()
    heal(auth)
    async with replica_of(auth) as other:
        auth.clock.advance(seconds=CLAIM_SECONDS - 1)
        await look(other)
        assert asked(auth, "/revoke") == 1
        auth.clock.advance(seconds=1)
        await look(other)
    assert asked(auth, "/revoke") == 2
    assert await count_rows(auth, upstream_revocations) == 0


@ON_SQLITE
async def test_an_answer_that_got_lost_is_asked_for_again(auth: AuthUnderTest) -> None:
    lose_answers(auth, "/revoke")
    await sign_out(auth)
    await auth.settle()
    heal(auth)
    auth.clock.advance(seconds=5)
    await look(auth)
    assert asked(auth, "/revoke") == 2
    assert await count_rows(auth, upstream_revocations) == 0


async def test_an_end_that_is_not_committed_revokes_nothing(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    grant_id = (await auth.introspect(access)).json()["grant_id"]

    async def end_and_fail() -> None:
        async with auth.resources.database.transaction() as tx:
            await auth.resources.revoke_grant.within(tx, grant_id, RevocationReason.CLIENT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await end_and_fail()
    await look(auth)
    assert asked(auth, "/revoke") == 0
    assert await auth.is_active(access)


@ON_SQLITE
async def test_what_pingone_calls_dead_is_not_revoked_there(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.simulator.end_sessions_of("alice")
    auth.clock.advance(minutes=59, seconds=55)
    assert not await auth.is_active(access)
    await look(auth)
    assert asked(auth, "/revoke") == 0
    assert await count_rows(auth, upstream_revocations) == 0


async def test_a_row_whose_key_a_replica_lacks_waits_for_one_that_has_it(
    auth: AuthUnderTest,
) -> None:
    async with replica_of(auth, auth_encryption_keys=f"{NEW_KEY},{OLD_KEY}") as newer:
        fail_at(auth, "/revoke", answering(503))
        await sign_out(newer)
        await newer.settle()
        heal(auth)
        auth.clock.advance(seconds=5)
        with capture_logs() as logs:
            await look(auth)
        assert asked(auth, "/revoke") == 1
        [line] = [line for line in logs if line["event"] == "upstream_tokens.unreadable"]
        assert "'k2'" in line["reason"]
        auth.clock.advance(seconds=10)
        await look(newer)
        assert asked(auth, "/revoke") == 2
        assert await count_rows(auth, upstream_revocations) == 0


async def test_tokens_of_a_login_that_was_refused_are_revoked_later_too(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    to_pingone = await auth.decide(browser, await auth.authorize(browser))
    returned = await auth.sign_on(browser, to_pingone)
    away = answering(503)

    async def no_keys_and_no_revocation(
        request: httpx2.Request, pass_on: PassOn
    ) -> httpx2.Response:
        is_away = is_for(request, "/jwks") or is_for(request, "/revoke")
        return away(request) if is_away else await pass_on(request)

    auth.pingone.intercept = no_keys_and_no_revocation
    assert error_at_client(await auth.back(browser, returned)) == "temporarily_unavailable"
    await auth.settle()
    assert await count_rows(auth, upstream_revocations) == 1
    heal(auth)
    auth.clock.advance(seconds=5)
    await look(auth)
    assert asked(auth, "/revoke") == 2
    assert await count_rows(auth, upstream_revocations) == 0


async def test_without_a_database_the_tokens_of_a_login_are_revoked_directly(
    auth: AuthUnderTest,
) -> None:
    at_pingone: list[str] = []
    browser = auth.new_browser()
    to_pingone = await auth.decide(browser, await auth.authorize(browser))
    returned = await auth.sign_on(browser, to_pingone)
    async with AsyncExitStack() as outage:

        async def answer_and_cut(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
            response = await pass_on(request)
            if is_for(request, "/token"):
                await response.aread()
                at_pingone.append(response.json()["refresh_token"])
                await outage.enter_async_context(database_outage(auth))
            return response

        auth.pingone.intercept = answer_and_cut
        assert error_at_client(await auth.back(browser, returned)) == "temporarily_unavailable"
        await auth.settle()
    assert not auth.simulator.is_family_live(at_pingone[0])
    assert await count_rows(auth, upstream_revocations) == 0
