"""A sign-in to the account page that goes wrong: back to the page, and nobody is signed in."""

import json

import httpx
import httpx2
import pytest
from account_steps import SIGN_IN, Page, look, press, sign_in, to_pingone
from auth_answers import code_at_client, count_rows, error_at_client
from auth_back_channel import answering, fail_at, heal, is_for
from auth_harness import AuthUnderTest, PassOn, redirect_query
from joserfc import jws

from auth_server.storage.tables import account_sessions, grants

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_ONE_SERVER = pytest.mark.asyncio(loop_scope="module")


def is_signed_in(page: Page) -> bool:
    return "You are signed in as" in page.text


async def returned(auth: AuthUnderTest, browser: httpx.AsyncClient) -> httpx.Response:
    """PingOne's redirect back, after a sign-on for the account page."""
    return await auth.sign_on(browser, await to_pingone(browser))


@ON_SQLITE
@pytest.mark.parametrize(
    ("answer", "notice", "words"),
    [
        ({"error": "access_denied"}, "cancelled", "The sign-in was cancelled or refused."),
        ({"error": "temporarily_unavailable"}, "unavailable", "PingOne cannot be reached"),
        ({"error": "<script>"}, "failed", "The sign-in could not be completed."),
        ({}, "failed", "The sign-in could not be completed."),
        ({"code": "made-up"}, "failed", "The sign-in could not be completed."),
    ],
    ids=str,
)
async def test_a_sign_in_that_came_to_nothing_leads_back_to_the_page(
    auth: AuthUnderTest, answer: dict[str, str], notice: str, words: str
) -> None:
    browser = auth.new_browser()
    state = redirect_query(await to_pingone(browser))["state"]
    response = await browser.get("/callback", params={"state": state, **answer})
    assert response.headers["location"] == f"/account?notice={notice}"
    page = await look(browser, response.headers["location"])
    assert words in page.text
    # There is a way on, and it works.
    signed_on = await auth.sign_on(browser, await press(browser, page, SIGN_IN))
    await auth.back(browser, signed_on)
    assert is_signed_in(await look(browser))


@ON_SQLITE
async def test_an_outage_of_pingone_is_said_and_passes(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    fail_at(auth, "/openid-configuration", answering(503))
    response = await to_pingone(browser)
    assert response.headers["location"] == "/account?notice=unavailable"
    heal(auth)
    auth.clock.advance(seconds=5)
    answer = await returned(auth, browser)
    fail_at(auth, "/token", answering(503))
    assert (await auth.back(browser, answer)).headers["location"] == "/account?notice=unavailable"
    heal(auth)
    assert is_signed_in(await look(await sign_in(auth, browser)))


@pytest.mark.standard("OIDC Core 2 sub", "OIDC Core 3.1.3.7 nonce", "OIDC Core 3.1.3.7 aud, azp")
@ON_ONE_SERVER
@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-client"},
        {"iss": "http://localhost:9080/another/as"},
        {"exp": 1},
        {"sub": None},
        {"sub": ""},
        {"sub": 17},
        {"sub": ["a"]},
        {"sub": "nul\x00"},
        {"sub": "a" * 256},
    ],
    ids=str,
)
async def test_an_id_token_with_a_wrong_claim_signs_nobody_in(
    shared: AuthUnderTest, changes: dict[str, object]
) -> None:
    change_id_token(shared, changes)
    browser = shared.new_browser()
    response = await shared.back(browser, await returned(shared, browser))
    assert response.headers["location"] == "/account?notice=failed"
    assert not is_signed_in(await look(browser))
    await shared.settle()
    heal(shared)


def change_id_token(auth: AuthUnderTest, changes: dict[str, object]) -> None:
    """PingOne signs the ID token with changed claims; None takes one out."""

    async def intercept(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        response = await pass_on(request)
        if not is_for(request, "/token"):
            return response
        answer = json.loads(await response.aread())
        claims = json.loads(jws.extract_compact(answer["id_token"].encode()).payload) | changes
        key = auth.simulator.tokens._key
        payload = json.dumps({k: v for k, v in claims.items() if v is not None}).encode()
        header = {"alg": "RS256", "kid": key.kid}
        answer["id_token"] = jws.serialize_compact(header, payload, key, algorithms=["RS256"])
        return httpx2.Response(200, json=answer)

    auth.pingone.intercept = intercept


async def test_the_state_of_one_kind_of_login_does_not_finish_the_other(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    account_answer = redirect_query(await returned(auth, browser))
    client_login = await auth.decide(browser, await auth.authorize(browser))
    client_answer = redirect_query(await auth.sign_on(browser, client_login))
    # PingOne's code of the account login, brought as the answer to the client's, and the reverse.
    for state, code in ((client_answer, account_answer), (account_answer, client_answer)):
        response = await browser.get(
            "/callback", params={"state": state["state"], "code": code["code"]}
        )
        if state is client_answer:
            assert error_at_client(response) == "server_error"
        else:
            assert response.headers["location"] == "/account?notice=failed"
    assert await count_rows(auth, grants) == 0
    assert await count_rows(auth, account_sessions) == 0


async def test_both_kinds_of_login_at_once_in_one_browser_finish_as_what_they_are(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    account_answer = await returned(auth, browser)
    client_login = await auth.decide(browser, await auth.authorize(browser))
    client_answer = await auth.sign_on(browser, client_login)
    code_at_client(await auth.back(browser, client_answer))
    assert not is_signed_in(await look(browser))
    await auth.back(browser, account_answer)
    assert is_signed_in(await look(browser))
    assert await count_rows(auth, grants) == 1
