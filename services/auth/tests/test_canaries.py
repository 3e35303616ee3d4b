"""No secret is found in a log, an error, a page, a URL or the database: real ones are planted."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import parse_qsl

import httpx2
import pytest
from account_steps import DISCONNECT, SIGN_IN, SIGN_OUT, look, press
from auth_answers import code_at_client, error_at_client, problem_page
from auth_back_channel import database_outage, is_for, refusal, replica_of
from auth_canaries import Watch, captured_logs
from auth_harness import AuthUnderTest, auth_under_test
from sqlalchemy import update
from sqlalchemy.ext.asyncio import create_async_engine

from auth_server.storage.tables import clients

VERIFIER = "canary-of-the-clients-own-code-verifier-0123456789"
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PINGONE_TOKEN_SECONDS = 300
KINDS = {
    "access handle",
    "access token of PingOne",
    "client secret",
    "code",
    "code of PingOne",
    "code_verifier",
    "configured secret",
    "cookie",
    "form token",
    "ID token of PingOne",
    "nonce",
    "refresh handle",
    "refresh token of PingOne",
    "state at PingOne",
    "verifier at PingOne",
}


def echo(status: int) -> Callable[[httpx2.Request], httpx2.Response | None]:
    """A PingOne that fails, and repeats in its error what it was sent."""

    def answer(request: httpx2.Request) -> httpx2.Response | None:
        if not is_for(request, "/token"):
            return None
        sent = dict(parse_qsl(request.content.decode()))
        text = f"refused {sent}, sent with {request.headers.get('authorization')}"
        return httpx2.Response(status, json={"error": "invalid_request", "error_description": text})

    return answer


async def obtain_code(auth: AuthUnderTest, watch: Watch) -> str:
    return await auth.obtain_code(watch.follow(auth.new_browser()), code_challenge=CHALLENGE)


async def obtain_handles(auth: AuthUnderTest, watch: Watch) -> dict[str, str]:
    response = await auth.exchange(await obtain_code(auth, watch), code_verifier=VERIFIER)
    assert response.status_code == 200
    handles: dict[str, str] = response.json()
    return handles


async def the_whole_path(auth: AuthUnderTest, watch: Watch) -> None:
    """Two people in one browser, looked at wherever something waits in the database."""
    await auth.register(token_endpoint_auth_method="client_secret_post")
    browser = watch.follow(auth.new_browser())
    to_pingone = await auth.decide(browser, await auth.authorize(browser, code_challenge=CHALLENGE))
    await watch.look_at_database(auth)
    answer = await auth.sign_on(browser, to_pingone)
    code = code_at_client(await auth.back(browser, answer))
    await watch.look_at_database(auth)
    await auth.exchange(code, code_verifier=VERIFIER)
    auth.simulator.end_sessions_of("alice")
    to_pingone = await auth.authorize(browser, code_challenge=CHALLENGE)
    second_consent = await auth.back(browser, await auth.sign_on(browser, to_pingone, "bob"))
    await watch.look_at_database(auth)  # bob's tokens wait
    bobs = code_at_client(await auth.decide(browser, second_consent))
    handles = (await auth.exchange(bobs, code_verifier=VERIFIER)).json()
    auth.clock.advance(seconds=PINGONE_TOKEN_SECONDS + 1)
    assert await auth.is_active(handles["access_token"])  # after a refresh at PingOne
    await auth.refresh(handles["refresh_token"])
    await watch.look_at_database(auth)
    form = {"client_id": auth.client_id, "token": handles["access_token"]}
    await auth.anyone.post("/revoke", data=form)


async def the_account_page(auth: AuthUnderTest, watch: Watch) -> None:
    """A person signs in to it, disconnects an app, and leaves."""
    await obtain_handles(auth, watch)
    browser = watch.follow(auth.new_browser())
    to_pingone = await press(browser, await look(browser), SIGN_IN)
    await watch.look_at_database(auth)
    answer = await auth.sign_on(browser, to_pingone)
    for _ in range(2):
        await auth.back(browser, answer)
    await press(browser, await look(browser), DISCONNECT)
    await watch.look_at_database(auth)
    problem_page(await browser.post(DISCONNECT, data={"csrf_token": "forged"}))
    await press(browser, await look(browser), SIGN_OUT)


async def refusals(auth: AuthUnderTest, watch: Watch) -> None:
    """Everything that is denied, wrong or repeated."""
    browser = watch.follow(auth.new_browser())
    denied = await auth.decide(browser, await auth.authorize(browser), "deny")
    assert error_at_client(denied) == "access_denied"
    wrong = await auth.exchange(await obtain_code(auth, watch), code_verifier="w" * 43)
    assert refusal(wrong) == "invalid_grant"
    to_pingone = await auth.decide(browser, await auth.authorize(browser, code_challenge=CHALLENGE))
    answer = await auth.sign_on(browser, to_pingone)
    code = code_at_client(await auth.back(browser, answer))
    assert code_at_client(await auth.back(browser, answer)) == code
    handles = (await auth.exchange(code, code_verifier=VERIFIER)).json()
    for _ in range(2):  # the second is answered with what the first one sealed
        assert (await auth.refresh(handles["refresh_token"])).status_code == 200
    await watch.look_at_database(auth)
    auth.clock.advance(seconds=60)
    assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"
    assert refusal(await auth.exchange(code, code_verifier=VERIFIER)) == "invalid_grant"
    # Secrets where nobody expects them: in a query, in a path, in a header.
    access = handles["access_token"]
    await auth.anyone.get("/token", params={"code": code, "code_verifier": VERIFIER})
    await auth.anyone.get(f"/{access}", headers={"authorization": f"Bearer {access}"})
    await auth.authorize(browser, state=[access, access])


async def wrong_audiences(auth: AuthUnderTest, watch: Watch) -> None:
    """A handle for another server, and a PingOne token for another API."""
    handles = await obtain_handles(auth, watch)
    async with replica_of(auth, mcp_resource="https://other.example/mcp") as other:
        watch.follow(other.anyone)
        assert not await other.is_active(handles["access_token"])
    browser = watch.follow(auth.new_browser())
    to_pingone = await auth.decide(browser, await auth.authorize(browser))
    answer = await auth.sign_on(browser, to_pingone)
    async with replica_of(auth, api_identifier="https://other.api.example") as other:
        there = watch.follow(other.new_browser())
        there.cookies = browser.cookies
        assert error_at_client(await other.back(there, answer)) == "server_error"
        await other.settle()


async def outages(auth: AuthUnderTest, watch: Watch) -> None:
    """PingOne fails in both grants, and the database everywhere."""
    handles = await obtain_handles(auth, watch)
    browser = watch.follow(auth.new_browser())
    for status in (400, 503):
        to_pingone = await auth.decide(browser, await auth.authorize(browser, prompt="consent"))
        answer = await auth.sign_on(browser, to_pingone)
        auth.pingone.fail_with = echo(status)
        error_at_client(await auth.back(browser, answer))
        auth.pingone.fail_with = None
    code, answer = await obtain_code(auth, watch), await auth.authorize(browser, prompt="consent")
    async with database_outage(auth):
        for response in (
            await auth.exchange(code, code_verifier=VERIFIER),
            await auth.refresh(handles["refresh_token"]),
            await auth.introspect(handles["access_token"]),
        ):
            assert refusal(response, 503) == "temporarily_unavailable"
        problem_page(await auth.decide(browser, answer), 503)
        problem_page(await browser.get("/callback", params={"state": code, "code": code}), 503)
    auth.clock.advance(seconds=PINGONE_TOKEN_SECONDS + 1)
    auth.pingone.fail_with = echo(503)
    assert (await auth.introspect(handles["access_token"])).status_code == 503
    auth.pingone.fail_with = None


async def unexpected_failures(auth: AuthUnderTest, watch: Watch) -> None:
    """A row that nothing in the service expects: exceptions with tracebacks, on secrets' way."""
    handles, code = await obtain_handles(auth, watch), await obtain_code(auth, watch)
    engine = create_async_engine(auth.resources.settings.auth_database_url.get_secret_value())
    async with engine.begin() as connection:
        await connection.execute(update(clients).values(token_endpoint_auth_method="nonsense"))
    await engine.dispose()
    for response in (
        await auth.exchange(code, code_verifier=VERIFIER),
        await auth.refresh(handles["refresh_token"]),
    ):
        assert refusal(response, 500) == "server_error"
    problem_page(await auth.authorize(watch.follow(auth.new_browser())), 500)


async def live(auth: AuthUnderTest) -> Watch:
    """Everything above, in one database."""
    watch = Watch()
    watch.begin(auth)
    watch.canaries.plant("code_verifier", VERIFIER)
    await the_whole_path(auth, watch)
    await the_account_page(auth, watch)
    await refusals(auth, watch)
    await wrong_audiences(auth, watch)
    await outages(auth, watch)
    await unexpected_failures(auth, watch)
    await auth.settle()
    await watch.look_at_database(auth)
    watch.end(auth)
    # Without each of them, finding nothing would say nothing.
    assert set(watch.canaries.kinds.values()) == KINDS
    return watch


@pytest.mark.parametrize("development", [False, True], ids=["production", "development"])
async def test_no_secret_is_logged_on_any_path(database_url: str, development: bool) -> None:
    # DEBUG holds all that INFO does, and what the libraries say.
    with captured_logs(development=development, level="DEBUG") as log:
        simulator = {"access_token_seconds": PINGONE_TOKEN_SECONDS}
        async with auth_under_test(database_url, simulator=simulator) as auth:
            watch = await live(auth)
    text = log.getvalue()
    traceback = "Traceback" if development else '"exc_type"'
    for event in ("code.replayed", "refresh.replayed", "refresh.reused", "page.refused", traceback):
        assert event in text, event
    if not development:
        assert all(json.loads(line)["service"] == "auth" for line in text.splitlines())
    assert watch.canaries.found_in(text.encode()) == set()


async def test_no_secret_is_stored_or_answered_where_it_does_not_belong(database_url: str) -> None:
    simulator = {"access_token_seconds": PINGONE_TOKEN_SECONDS}
    async with auth_under_test(database_url, simulator=simulator) as auth:
        watch = await live(auth)
    stored = b"".join(watch.stored)
    assert watch.canaries.found_in(stored) == set()
    # What is looked up is stored as its digest, and the dump would have shown the rest.
    digested = {"access handle", "refresh handle", "code", "cookie"}
    kinds = {
        kind
        for secret, kind in watch.canaries.kinds.items()
        if hashlib.sha256(secret.encode()).digest() in stored
    }
    assert digested <= kinds
    assert b"Bob Baker" in stored
    assert watch.misplaced() == []
