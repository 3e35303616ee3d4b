"""A refresh at PingOne fails: dead is told from away, and neither is ever taken for the other."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2
import pytest
from auth_back_channel import (
    Failure,
    answering,
    downstream,
    fail_at,
    heal,
    is_for,
    keep_token_answers,
    raising,
    refreshes,
    refusal,
    replica_of,
)
from auth_harness import AuthUnderTest, PassOn, auth_under_test

from pingone_simulator.people import PEOPLE

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# PingOne's tokens live for 600 s here; at 480 s a refresh is due while the token still lives.
TOKEN_SECONDS = 600
DUE, EXPIRED = 480, 600
# The longest that PingOne is left alone here: a Retry-After below.
BACK_OFF_SECONDS = 17
# Keys that could not be fetched are asked for again after this long.
KEYS_COOL_DOWN_SECONDS = 30


@pytest.fixture
async def auth(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The authorization server beside a PingOne whose access tokens do not live for long."""
    settings = {"access_token_seconds": TOKEN_SECONDS}
    async with auth_under_test(database_url, simulator=settings) as auth:
        yield auth


async def test_what_pingone_calls_invalid_grant_is_dead_and_ends_the_grant(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    handles = await auth.obtain_handles(browser)
    auth.simulator.end_sessions_of("alice")
    auth.clock.advance(seconds=EXPIRED)
    assert (await auth.introspect(handles["access_token"])).json() == {"active": False}
    assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"
    again = await auth.obtain_handles(browser)
    await downstream(auth, again["access_token"])


@ON_SQLITE
async def test_a_death_that_is_found_in_the_background_shows_in_the_next_answer(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    first = await downstream(auth, access)
    auth.clock.advance(seconds=DUE)
    auth.simulator.end_sessions_of("alice")
    served = (await auth.introspect(access)).json()
    assert served["downstream_token"] == first
    await auth.settle()
    assert not await auth.is_active(access)


def no_url(_request: httpx2.Request) -> httpx2.Response:
    """What the client raises for an endpoint such as https://host:port/."""
    raise httpx2.InvalidURL("as the test wants it")


@ON_SQLITE
@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(answering(500), id="500"),
        pytest.param(answering(503, "<html>"), id="503"),
        pytest.param(answering(429), id="429"),
        pytest.param(answering(429, retry_after="17"), id="429 with Retry-After"),
        pytest.param(raising(httpx2.ReadTimeout), id="timeout"),
        pytest.param(raising(httpx2.ConnectTimeout), id="connect timeout"),
        pytest.param(raising(httpx2.ConnectError), id="connection refused"),
        pytest.param(raising(httpx2.ReadError), id="connection reset"),
        pytest.param(raising(httpx2.RemoteProtocolError), id="not HTTP"),
        pytest.param(answering(302, location="https://login.example/"), id="redirect"),
        pytest.param(answering(401, '{"error":"invalid_client"}'), id="our secret is wrong"),
        pytest.param(answering(400, '{"error":"invalid_request"}'), id="another OAuth error"),
        pytest.param(answering(400, "<html>"), id="400 that is not OAuth"),
        pytest.param(answering(200, "<html>"), id="200 that is not JSON"),
        pytest.param(answering(200, "[]"), id="200 that is no object"),
        pytest.param(answering(200, "{}"), id="200 without a token"),
        pytest.param(
            answering(200, '{"access_token":"x","token_type":"Bearer"}'),
            id="200 without expires_in",
        ),
        pytest.param(
            answering(200, '{"access_token":"x","token_type":"mac","expires_in":600}'),
            id="200 with another token type",
        ),
        pytest.param(
            answering(200, '{"access_token":"x","token_type":"Bearer","expires_in":[600]}'),
            id="200 with a lifetime that is no number",
        ),
        pytest.param(
            answering(200, '{"access_token":"x","token_type":"Bearer","expires_in":1e999}'),
            id="200 with an endless lifetime",
        ),
        pytest.param(
            answering(200, '{"access_token":"\\ud800","token_type":"Bearer","expires_in":600}'),
            id="200 with a token that is no text",
        ),
        pytest.param(no_url, id="what is published is no URL"),
    ],
)
async def test_an_outage_is_bridged_by_a_live_token_then_told_and_never_ends_the_grant(
    auth: AuthUnderTest, failure: Failure
) -> None:
    handles = await auth.obtain_handles()
    access = handles["access_token"]
    first = await downstream(auth, access)
    fail_at(auth, "/token", failure)
    auth.clock.advance(seconds=DUE)
    assert await downstream(auth, access) == first
    await auth.settle()
    auth.clock.advance(seconds=EXPIRED - DUE)
    response = await auth.introspect(access)
    assert refusal(response, 503) == "temporarily_unavailable"
    assert int(response.headers["retry-after"]) > 0
    await auth.settle()
    heal(auth)
    auth.clock.advance(seconds=BACK_OFF_SECONDS)
    assert (await downstream(auth, access))["access_token"] != first["access_token"]
    assert (await auth.refresh(handles["refresh_token"])).status_code == 200


@ON_SQLITE
async def test_pingones_own_retry_after_is_passed_on(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=EXPIRED)
    fail_at(auth, "/token", answering(429, retry_after="17"))
    response = await auth.introspect(access)
    assert refusal(response, 503) == "temporarily_unavailable"
    assert response.headers["retry-after"] == "17"


@ON_SQLITE
async def test_a_token_that_pingone_refused_to_refresh_is_in_no_answer(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=EXPIRED)
    secret = "what-pingone-said-must-stay-inside"
    fail_at(auth, "/token", answering(500, secret))
    assert secret not in (await auth.introspect(access)).text


def answer_with_another_token(auth: AuthUnderTest, member: str) -> None:
    """From now on, refreshes yield an access token for another API, or of another person."""

    async def intercept(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        response = await pass_on(request)
        if not is_for(request, "/token"):
            return response
        await response.aread()
        body = response.json()
        issued = auth.simulator.grants.find_refresh_token(body["refresh_token"])
        assert issued is not None
        grant, access = issued.grant, issued.grant.access
        if member == "aud":
            access = replace(access, audience="https://notes.api.com")
        else:
            grant = replace(grant, person=PEOPLE[1])
        token, remembered = auth.simulator.tokens.access_token(grant, access)
        auth.simulator.grants.remember_access_token(token, remembered)
        return httpx2.Response(200, json=body | {"access_token": token})

    auth.pingone.intercept = intercept


@ON_SQLITE
@pytest.mark.parametrize("member", ["aud", "sub"])
async def test_a_token_for_another_api_or_person_ends_the_grant_unseen(
    auth: AuthUnderTest, member: str
) -> None:
    handles = await auth.obtain_handles()
    auth.clock.advance(seconds=EXPIRED)
    answer_with_another_token(auth, member)
    assert (await auth.introspect(handles["access_token"])).json() == {"active": False}
    assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"


@ON_SQLITE
async def test_tokens_that_were_rejected_are_revoked_at_pingone(auth: AuthUnderTest) -> None:
    at_pingone = keep_token_answers(auth)
    handles = await auth.obtain_handles()
    auth.clock.advance(seconds=EXPIRED)
    answer_with_another_token(auth, "aud")
    assert not await auth.is_active(handles["access_token"])
    await auth.settle()
    assert not auth.simulator.is_family_live(at_pingone[0]["refresh_token"])


@ON_SQLITE
async def test_keys_that_cannot_be_fetched_do_not_cost_the_rotated_refresh_token(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=EXPIRED)
    # A process that has just started has no keys yet.
    async with replica_of(auth) as other:
        fail_at(auth, "/jwks", answering(503))
        assert refusal(await other.introspect(access), 503) == "temporarily_unavailable"
        assert refreshes(auth) == 1
        heal(auth)
        # PingOne is not made to rotate again and again meanwhile.
        auth.clock.advance(seconds=4)
        assert refusal(await other.introspect(access), 503) == "temporarily_unavailable"
        assert refreshes(auth) == 1
        auth.clock.advance(seconds=KEYS_COOL_DOWN_SECONDS - 4)
        await downstream(other, access)
        assert refreshes(auth) == 2


@ON_SQLITE
async def test_keys_that_cannot_be_fetched_do_not_cost_a_token_that_still_lives(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    first = await downstream(auth, access)
    auth.clock.advance(seconds=DUE)
    async with replica_of(auth) as other:
        fail_at(auth, "/jwks", answering(503))
        for _ in range(2):
            assert await downstream(other, access) == first
            await other.settle()
