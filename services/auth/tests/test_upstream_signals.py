"""What an operator sees of PingOne: log lines that its support can use, and counters."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from auth_answers import error_at_client
from auth_back_channel import Failure, answering, downstream, fail_at, heal, keep_token_answers
from auth_harness import INTERNAL, AuthUnderTest, PassOn, auth_under_test
from structlog.testing import capture_logs

from auth_server.storage.upstream_revocations import UpstreamRevocations

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

TOKEN_SECONDS = 600
CORRELATION_ID = "2f1c0f4e-6a0b-4a34-9a55-7ce3b2f9a001"

FAILURES = {
    "500": answering(500, correlation_id=CORRELATION_ID),
    "429": answering(429, correlation_id=CORRELATION_ID),
    "not JSON": answering(200, "<html>", correlation_id=CORRELATION_ID),
    "no token": answering(200, "{}", correlation_id=CORRELATION_ID),
    "our secret": answering(401, '{"error":"invalid_client"}', correlation_id=CORRELATION_ID),
    "dead": answering(400, '{"error":"invalid_grant"}', x_correlation_id=CORRELATION_ID),
}


@pytest.fixture
async def auth(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The authorization server beside a PingOne whose access tokens do not live for long."""
    settings = {"access_token_seconds": TOKEN_SECONDS}
    async with auth_under_test(database_url, simulator=settings) as auth:
        yield auth


async def metric(auth: AuthUnderTest, name: str) -> float:
    """One sample of /metrics; 0 if there is none."""
    text = (await auth.anyone.get(f"{INTERNAL}/metrics")).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_failed_refresh_is_logged_with_the_grant_and_pingones_correlation_id(
    auth: AuthUnderTest, failure: Failure
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    grant_id = (await auth.introspect(access)).json()["grant_id"]
    auth.clock.advance(seconds=TOKEN_SECONDS)
    fail_at(auth, "/token", failure)
    with capture_logs() as logs:
        await auth.introspect(access)
    named = [line for line in logs if CORRELATION_ID in str(line.get("reason"))]
    assert named
    assert {line["grant_id"] for line in named} == {grant_id}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_failed_sign_on_is_logged_with_pingones_correlation_id(
    auth: AuthUnderTest, failure: Failure
) -> None:
    browser = auth.new_browser()
    to_pingone = await auth.decide(browser, await auth.authorize(browser))
    returned = await auth.sign_on(browser, to_pingone)
    fail_at(auth, "/token", failure)
    with capture_logs() as logs:
        error_at_client(await auth.back(browser, returned))
    assert [line for line in logs if CORRELATION_ID in str(line.get("detail"))]


@pytest.mark.parametrize("status", [500, 429, 400, 401])
async def test_a_failed_revocation_is_logged_with_pingones_correlation_id(
    auth: AuthUnderTest, status: int
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    fail_at(auth, "/revoke", answering(status, correlation_id=CORRELATION_ID))
    with capture_logs() as logs:
        await auth.anyone.post("/revoke", data={"client_id": auth.client_id, "token": access})
        await auth.settle()
    assert [line for line in logs if CORRELATION_ID in str(line.get("reason"))]


async def test_a_token_that_is_not_believed_is_logged_with_pingones_correlation_id(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=TOKEN_SECONDS)

    async def spoil(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        response = await pass_on(request)
        if not request.url.path.endswith("/token"):
            return response
        await response.aread()
        body = response.json() | {"access_token": "not.a.token"}
        return httpx2.Response(200, json=body, headers={"Correlation-Id": CORRELATION_ID})

    auth.pingone.intercept = spoil
    with capture_logs() as logs:
        assert not await auth.is_active(access)
    [line] = [line for line in logs if line["event"] == "upstream.answer_rejected"]
    assert line["correlation_id"] == CORRELATION_ID


async def test_a_correlation_id_that_is_none_is_not_repeated(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=TOKEN_SECONDS)
    fail_at(auth, "/token", answering(500, correlation_id="forged line=" + "x" * 200))
    with capture_logs() as logs:
        await auth.introspect(access)
    assert "forged" not in str(logs)


async def test_a_refresh_is_logged_with_what_it_took_and_without_what_it_brought(
    auth: AuthUnderTest,
) -> None:
    handles = await auth.obtain_handles()
    answers = keep_token_answers(auth)
    auth.clock.advance(seconds=TOKEN_SECONDS)
    with capture_logs() as logs:
        await downstream(auth, handles["access_token"])
    [line] = [line for line in logs if line["event"] == "upstream.refreshed"]
    assert set(line) == {
        "event",
        "log_level",
        "grant_id",
        "version",
        "seconds",
        "correlation_id",
    }
    assert line["correlation_id"]
    assert line["version"] == 2
    assert 0 <= line["seconds"] < 60
    for member in ("access_token", "refresh_token", "id_token"):
        assert answers[0][member] not in str(logs)


async def test_refreshes_are_counted_by_how_they_ended(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]

    async def counted(outcome: str) -> float:
        await auth.introspect(access)
        return await metric(auth, f'auth_upstream_refreshes_total{{outcome="{outcome}"}}')

    auth.clock.advance(seconds=TOKEN_SECONDS)
    assert await counted("refreshed") == 1
    auth.clock.advance(seconds=TOKEN_SECONDS)
    fail_at(auth, "/token", answering(503))
    assert await counted("unavailable") == 1
    heal(auth)
    auth.clock.advance(seconds=5)
    auth.simulator.end_sessions_of("alice")
    assert await counted("dead") == 1


async def test_revocations_are_counted_and_those_that_wait_are_seen(auth: AuthUnderTest) -> None:
    def away(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("away", request=request)

    access = (await auth.obtain_handles())["access_token"]
    fail_at(auth, "/revoke", away)
    await auth.anyone.post("/revoke", data={"client_id": auth.client_id, "token": access})
    await auth.settle()
    assert await metric(auth, 'auth_upstream_revocations_total{outcome="failed"}') == 1
    assert await metric(auth, "auth_upstream_revocations_waiting") == 1
    heal(auth)
    auth.clock.advance(seconds=5)
    auth.resources.send_revocations.wake()
    await auth.settle()
    assert await metric(auth, 'auth_upstream_revocations_total{outcome="revoked"}') == 1
    assert await metric(auth, "auth_upstream_revocations_waiting") == 0


async def test_those_that_wait_are_not_counted_anew_for_each_that_is_sent(
    auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(auth, "/revoke", answering(503))
    for _ in range(4):
        access = (await auth.obtain_handles())["access_token"]
        await auth.anyone.post("/revoke", data={"client_id": auth.client_id, "token": access})
        await auth.settle()
    heal(auth)
    auth.clock.advance(hours=1)
    counts, count = list[int](), UpstreamRevocations.count

    async def counted(rows: UpstreamRevocations) -> int:
        counts.append(await count(rows))
        return counts[-1]

    monkeypatch.setattr(UpstreamRevocations, "count", counted)
    auth.resources.send_revocations.wake()
    await auth.settle()
    assert counts == [4, 0]
