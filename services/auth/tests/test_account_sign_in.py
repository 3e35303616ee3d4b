"""Signing in to the account page: a login of this service's own, in which no client has a part."""

import json
from http.cookies import SimpleCookie

import httpx
import httpx2
import pytest
from account_steps import SIGN_IN, SIGN_OUT, Page, look, press, sign_in, to_pingone
from auth_answers import count_rows, host_of, problem_page
from auth_back_channel import (
    asked,
    is_for,
    keep_token_answers,
)
from auth_harness import ISSUER, AuthUnderTest, PassOn, auth_under_test, redirect_query
from sqlalchemy import Table, select

from auth_server.flows.sweep_expired import SweepExpired
from auth_server.storage.tables import (
    account_logins,
    account_sessions,
    authorizations,
    grants,
    upstream_revocations,
    upstream_tokens,
)

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_ONE_SERVER = pytest.mark.asyncio(loop_scope="module")
COOKIE = "mcp_pingone_account"


def is_signed_in(page: Page) -> bool:
    return "You are signed in as" in page.text


async def returned(
    auth: AuthUnderTest, browser: httpx.AsyncClient, username: str = "alice"
) -> httpx.Response:
    """PingOne's redirect back, after a sign-on for the account page."""
    return await auth.sign_on(browser, await to_pingone(browser), username)


async def sweep(auth: AuthUnderTest) -> None:
    resources = auth.resources
    await SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )()


async def test_a_person_signs_in_and_sees_who_they_are(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    assert not is_signed_in(await look(browser))
    page = await look(await sign_in(auth, browser))
    assert "You are signed in as Alice Archer." in page.text
    assert "No app is connected." in page.text


@pytest.mark.standard("RFC 7636 7.1", "OIDC Core 3.1.2.1")
async def test_pingone_is_asked_who_it_is_and_for_no_scope_of_an_api(auth: AuthUnderTest) -> None:
    answer = await to_pingone(auth.new_browser())
    assert host_of(answer) == "localhost:9080"
    sent = redirect_query(answer)
    assert sent["scope"] == "openid profile"
    assert "resource" not in sent
    assert sent["code_challenge_method"] == "S256"
    assert sent["redirect_uri"] == f"{ISSUER}/callback"
    assert min(len(sent[name]) for name in ("state", "nonce", "code_challenge")) == 43
    row = await only_row(auth, account_logins)
    for secret in (sent["state"], sent["nonce"]):
        assert secret.encode() not in b"".join(one for one in row if isinstance(one, bytes))


async def only_row(auth: AuthUnderTest, table: Table) -> tuple[object, ...]:
    async with auth.resources.database.reading_connection() as connection:
        return tuple((await connection.execute(select(table))).one())


@pytest.mark.standard("RFC 7009 2.1 as client")
async def test_the_tokens_that_came_with_it_are_revoked_and_not_kept(auth: AuthUnderTest) -> None:
    at_pingone = keep_token_answers(auth)
    await sign_in(auth, auth.new_browser())
    await auth.settle()
    [answer] = at_pingone
    assert not auth.simulator.is_family_live(answer["refresh_token"])
    assert not auth.simulator.is_access_token_live(answer["access_token"])
    for table in (grants, upstream_tokens, upstream_revocations, authorizations, account_logins):
        assert await count_rows(auth, table) == 0


@ON_SQLITE
async def test_without_a_refresh_token_there_is_nothing_that_pingone_would_revoke(
    auth: AuthUnderTest,
) -> None:
    async def intercept(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        response = await pass_on(request)
        if not is_for(request, "/token"):
            return response
        answer = json.loads(await response.aread())
        del answer["refresh_token"]
        return httpx2.Response(200, json=answer)

    auth.pingone.intercept = intercept
    assert is_signed_in(await look(await sign_in(auth, auth.new_browser())))
    await auth.settle()
    assert asked(auth, "/revoke") == 0


async def test_another_browser_can_neither_use_nor_spend_the_sign_in(auth: AuthUnderTest) -> None:
    browser, other = auth.new_browser(), auth.new_browser()
    answer = await returned(auth, browser)
    problem_page(await auth.back(other, answer))  # no cookie
    await look(other)
    problem_page(await auth.back(other, answer))  # another cookie
    assert not is_signed_in(await look(other))
    assert await count_rows(auth, account_sessions) == 0
    await auth.back(browser, answer)
    assert is_signed_in(await look(browser))


async def test_a_sign_in_that_was_left_for_half_an_hour_is_too_late(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    auth.clock.advance(minutes=30)
    problem_page(await auth.back(browser, answer))
    await sweep(auth)
    assert await count_rows(auth, account_logins) == 0


async def test_a_session_ends_after_fifteen_minutes_however_busy(auth: AuthUnderTest) -> None:
    browser = await sign_in(auth, auth.new_browser())
    auth.clock.advance(minutes=14, seconds=59)
    page = await look(browser)
    assert is_signed_in(page)
    auth.clock.advance(seconds=1)
    assert not is_signed_in(await look(browser))
    assert (await press(browser, page, SIGN_OUT)).headers["location"].endswith("signed-out")
    await sweep(auth)
    assert await count_rows(auth, account_sessions) == 0


async def test_each_sign_in_makes_a_new_secret_and_ends_the_session_before(
    auth: AuthUnderTest,
) -> None:
    browser = await sign_in(auth, auth.new_browser())
    planted = browser.cookies[COOKIE]
    # The form is still there in another tab.
    browser.cookies.delete(COOKIE)
    page = await look(browser)
    browser.cookies.set(COOKIE, planted, domain="localhost.local", path="/")
    answer = await auth.sign_on(browser, await press(browser, page, SIGN_IN))
    await auth.back(browser, answer)
    assert browser.cookies[COOKIE] != planted
    assert await count_rows(auth, account_sessions) == 1
    thief = auth.new_browser()
    thief.cookies.set(COOKIE, planted)
    assert not is_signed_in(await look(thief))


async def test_signing_out_ends_the_session_and_takes_the_cookie(auth: AuthUnderTest) -> None:
    browser = await sign_in(auth, auth.new_browser())
    kept = browser.cookies[COOKIE]
    response = await press(browser, await look(browser), SIGN_OUT)
    assert response.headers["location"] == "/account?notice=signed-out"
    assert COOKIE not in browser.cookies
    assert (
        "You are signed out of this page."
        in (await look(browser, "/account?notice=signed-out")).text
    )
    browser.cookies.set(COOKIE, kept)
    assert not is_signed_in(await look(browser))


@ON_SQLITE
async def test_the_session_cookie_is_hidden_from_scripts_and_goes_with_the_browser(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    response = await auth.back(browser, await returned(auth, browser))
    assert attributes_of(response, COOKIE) == {"path": "/", "httponly": "True", "samesite": "lax"}


@pytest.mark.standard("MCP 2026-07-28 security: consent cookie")
@ON_SQLITE
async def test_behind_https_the_session_cookie_is_secure_and_host_only(database_url: str) -> None:
    public = "https://auth.example.com"
    async with auth_under_test(
        database_url,
        simulator={"redirect_uris": f"{public}/callback", "client_secret": "9c0f5f3e4b7a4f0a8d6e"},
        auth_public_url=public,
        auth_encryption_keys="k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    ) as auth:
        auth.apps[public] = auth.apps[ISSUER]
        browser = auth.new_browser()
        browser.base_url = httpx.URL(public)
        response = await auth.back(browser, await returned(auth, browser))
        name = f"__Host-{COOKIE}"
        expected = {"path": "/", "httponly": "True", "samesite": "lax", "secure": "True"}
        assert attributes_of(response, name) == expected
        out = await press(browser, await look(browser), SIGN_OUT)
        # Browsers ignore a __Host- cookie that is deleted without its attributes.
        assert attributes_of(out, name).items() >= expected.items()


def attributes_of(response: httpx.Response, name: str) -> dict[str, str]:
    [header] = response.headers.get_list("set-cookie")
    cookie = SimpleCookie(header)[name]
    return {attribute: str(value) for attribute, value in cookie.items() if value}
