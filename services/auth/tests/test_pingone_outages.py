"""PingOne is away in the middle of a login: the client hears that it may try again later."""

import asyncio
from collections.abc import Callable

import httpx
import httpx2
import pytest
from auth_answers import code_at_client, count_rows, error_at_client, host_of
from auth_harness import AuthUnderTest, PassOn, auth_under_test

from auth_server.storage.tables import grants

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_ONE_SERVER = pytest.mark.asyncio(loop_scope="module")

Failure = Callable[[], httpx2.Response]


def raising(error: Exception) -> Failure:
    def fail() -> httpx2.Response:
        raise error

    return fail


def fail_at(auth: AuthUnderTest, path: str, failure: Failure) -> None:
    """PingOne fails at one endpoint."""

    async def intercept(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        return failure() if request.url.path.endswith(path) else await pass_on(request)

    auth.pingone.intercept = intercept


async def returned(auth: AuthUnderTest, browser: httpx.AsyncClient) -> httpx.Response:
    """PingOne's redirect back, after the consent and the sign-on."""
    to_pingone = await auth.decide(browser, await auth.authorize(browser))
    return await auth.sign_on(browser, to_pingone)


OUTAGES: dict[str, Failure] = {
    "connection refused": raising(httpx2.ConnectError("refused")),
    "connect timeout": raising(httpx2.ConnectTimeout("slow")),
    "read timeout": raising(httpx2.ReadTimeout("slow")),
    "pool timeout": raising(httpx2.PoolTimeout("busy")),
    "connection reset": raising(httpx2.ReadError("reset")),
    "half an answer": raising(httpx2.RemoteProtocolError("incomplete")),
    "500": lambda: httpx2.Response(500, json={"error": "server_error"}),
    "502 with a page": lambda: httpx2.Response(502, html="<h1>Bad gateway</h1>"),
    "503": lambda: httpx2.Response(503, headers={"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}),
    "429": lambda: httpx2.Response(429, headers={"retry-after": "7"}),
    "a page": lambda: httpx2.Response(200, html="<h1>Maintenance</h1>"),
    "a redirect": lambda: httpx2.Response(302, headers={"location": "https://evil.example"}),
    "a list": lambda: httpx2.Response(200, json=[]),
    "null": lambda: httpx2.Response(200, json=None),
    "cut JSON": lambda: httpx2.Response(200, content=b'{"access_token": '),
    "no UTF-8": lambda: httpx2.Response(200, content=b'{"access_token": "\xff"}'),
    "deep JSON": lambda: httpx2.Response(200, content=b"[" * 100_000),
}


@ON_ONE_SERVER
@pytest.mark.parametrize("failure", OUTAGES.values(), ids=OUTAGES.keys())
async def test_without_an_answer_for_the_code_the_client_may_try_again(
    shared: AuthUnderTest, failure: Failure
) -> None:
    browser = shared.new_browser()
    before = await count_rows(shared, grants)
    answer = await returned(shared, browser)
    fail_at(shared, "/token", failure)
    response = await shared.back(browser, answer)
    assert error_at_client(response) == "temporarily_unavailable"
    assert await count_rows(shared, grants) == before
    shared.pingone.intercept = None
    code_at_client(await shared.back(browser, await returned(shared, browser)))


@ON_SQLITE
async def test_a_pingone_that_never_answers_is_given_up(database_url: str) -> None:
    async def hang(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        if request.url.path.endswith("/token"):
            await asyncio.Event().wait()
        return await pass_on(request)

    async with auth_under_test(database_url, pingone_timeout_seconds=0.5) as auth:
        browser = auth.new_browser()
        answer = await returned(auth, browser)
        auth.pingone.intercept = hang
        assert error_at_client(await auth.back(browser, answer)) == "temporarily_unavailable"


@ON_SQLITE
async def test_without_pingones_keys_nobody_is_believed_and_the_client_may_try_again(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    fail_at(auth, "/jwks", lambda: httpx2.Response(503))
    assert error_at_client(await auth.back(browser, answer)) == "temporarily_unavailable"
    assert await count_rows(auth, grants) == 0
    auth.pingone.intercept = None
    auth.clock.advance(seconds=31)
    code_at_client(await auth.back(browser, await returned(auth, browser)))


def document(auth: AuthUnderTest, **changes: str | None) -> httpx2.Response:
    issuer = auth.resources.settings.pingone_issuer
    endpoints = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
    }
    return httpx2.Response(200, json=endpoints | changes)


DOCUMENTS: dict[str, Callable[[AuthUnderTest], httpx2.Response]] = {
    "503": lambda _auth: httpx2.Response(503),
    "a page": lambda _auth: httpx2.Response(200, html="<h1>Maintenance</h1>"),
    "a list": lambda _auth: httpx2.Response(200, json=[]),
    "another issuer": lambda auth: document(auth, issuer="https://evil.example/as"),
    "no issuer": lambda auth: document(auth, issuer=None),
    "no token endpoint": lambda auth: document(auth, token_endpoint=None),
    "http": lambda auth: document(auth, token_endpoint="http://pingone.example/token"),
    "no URL": lambda auth: document(auth, token_endpoint="token"),
    "no host": lambda auth: document(auth, authorization_endpoint="https://"),
    "javascript": lambda auth: document(auth, authorization_endpoint="javascript:alert(1)"),
    "a broken URL": lambda auth: document(auth, token_endpoint="https://[pingone.example/token"),
}


@ON_SQLITE
@pytest.mark.parametrize("answer", DOCUMENTS.values(), ids=DOCUMENTS.keys())
async def test_without_usable_discovery_an_approval_ends_at_the_client_which_may_try_again(
    auth: AuthUnderTest, answer: Callable[[AuthUnderTest], httpx2.Response]
) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    fail_at(auth, "/openid-configuration", lambda: answer(auth))
    response = await auth.decide(browser, consent)
    assert error_at_client(response) == "temporarily_unavailable"
    auth.pingone.intercept = None
    auth.clock.advance(seconds=6)
    code_at_client(await auth.back(browser, await returned(auth, browser)))


@ON_SQLITE
async def test_discovery_that_was_read_once_outlives_an_outage(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    await auth.decide(browser, await auth.authorize(browser))
    auth.clock.advance(hours=2)
    auth.client_id = (await auth.register())["client_id"]
    fail_at(auth, "/openid-configuration", lambda: httpx2.Response(503))
    consent = await auth.authorize(browser)
    assert host_of(await auth.decide(browser, consent)) == "localhost:9080"


@ON_SQLITE
async def test_an_unusable_discovery_is_not_asked_for_at_every_request(
    auth: AuthUnderTest,
) -> None:
    fail_at(auth, "/openid-configuration", lambda: httpx2.Response(503))
    browser = auth.new_browser()
    for _ in range(5):
        consent = await auth.authorize(browser)
        assert error_at_client(await auth.decide(browser, consent)) == "temporarily_unavailable"
    assert len(auth.pingone.requests) == 1
