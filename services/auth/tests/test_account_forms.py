"""The account page's forms: they count from the page that this session was shown only."""

from typing import Any

import httpx
import pytest
from account_steps import DISCONNECT, DISCONNECT_ALL, SIGN_IN, SIGN_OUT, Page, look, press, sign_in
from auth_answers import count_rows, problem_page
from auth_back_channel import database_outage
from auth_harness import ISSUER, AuthUnderTest, form_of
from fetch_headers import navigation
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from auth_server.storage.tables import account_logins, account_sessions

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ELSEWHERE: tuple[dict[str, str], ...] = (
    navigation("cross-site"),
    navigation("same-site"),
    navigation("none"),
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:8081"},
    {"origin": ISSUER, **navigation("cross-site")},
    {"origin": "https://evil.example", **navigation("same-origin")},
    {"content-type": "application/json"},
    {"content-type": "text/plain"},
)
FORMS = pytest.mark.parametrize("action", [DISCONNECT, DISCONNECT_ALL, SIGN_OUT])


async def assert_nothing_happened(
    auth: AuthUnderTest, browser: httpx.AsyncClient, access: str
) -> None:
    assert await auth.is_active(access)
    assert len((await look(browser)).apps) == 1


@ON_SQLITE
@FORMS
@pytest.mark.parametrize("token", [None, "", "made-up", "\u20ac.\u20ac.\u20ac", ["", ""]], ids=str)
async def test_a_form_without_its_token_changes_nothing(
    auth: AuthUnderTest, action: str, token: str | list[str] | None
) -> None:
    browser = auth.new_browser()
    access = (await auth.obtain_handles(browser))["access_token"]
    fields = (await look(await sign_in(auth, browser))).form(action).fields
    sent: dict[str, Any] = fields | {"csrf_token": token}
    problem_page(await browser.post(action, data={k: v for k, v in sent.items() if v is not None}))
    await assert_nothing_happened(auth, browser, access)


@ON_SQLITE
@FORMS
async def test_another_sessions_token_changes_nothing(auth: AuthUnderTest, action: str) -> None:
    browser = auth.new_browser()
    access = (await auth.obtain_handles(browser))["access_token"]
    fields = (await look(await sign_in(auth, browser))).form(action).fields
    # Another person's, and one of the same person's before a new sign-in.
    await auth.obtain_handles(others := auth.new_browser(), "bob")
    theirs = (await look(await sign_in(auth, others, "bob"))).form(action).fields
    problem_page(await browser.post(action, data=fields | {"csrf_token": theirs["csrf_token"]}))
    browser.cookies.delete("mcp_pingone_account")
    await sign_in(auth, browser)
    problem_page(await browser.post(action, data=fields))
    await assert_nothing_happened(auth, browser, access)


@ON_SQLITE
async def test_a_token_of_another_form_or_key_changes_nothing(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    before = (await look(browser)).form(SIGN_IN).fields["csrf_token"]
    sign_in_form = (await look(browser)).form(SIGN_IN).fields
    consent = form_of(await auth.authorize(browser))["sealed"]
    access = (await auth.obtain_handles(browser))["access_token"]
    fields = (await look(await sign_in(auth, browser))).form(DISCONNECT).fields
    ours = URLSafeTimedSerializer("a-cookie-key-for-the-tests-only", salt="account")
    theirs = URLSafeTimedSerializer("another-key", salt="account")
    forged = str(theirs.dumps(ours.loads(fields["csrf_token"])))  # signed, not secret
    for token in (before, consent, forged):
        problem_page(await browser.post(DISCONNECT, data=fields | {"csrf_token": token}))
    for token in (fields["csrf_token"], consent):
        problem_page(await browser.post(SIGN_IN, data=sign_in_form | {"csrf_token": token}))
    # One form's token is not another's.
    problem_page(await browser.post(SIGN_IN, data=sign_in_form | {"csrf_token": before}))
    await assert_nothing_happened(auth, browser, access)


@pytest.mark.standard("RFC 6749 10.12")
@ON_SQLITE
@pytest.mark.parametrize("action", [DISCONNECT, DISCONNECT_ALL, SIGN_OUT, SIGN_IN])
async def test_a_form_from_another_site_changes_nothing(auth: AuthUnderTest, action: str) -> None:
    browser = auth.new_browser()
    access = (await auth.obtain_handles(browser))["access_token"]
    page = await look(browser)
    if action != SIGN_IN:
        page = await look(await sign_in(auth, browser))
    fields = page.form(action).fields
    for headers in ELSEWHERE:
        problem_page(await browser.post(action, data=fields, headers=headers))
    assert await auth.is_active(access)
    assert await count_rows(auth, account_logins) == 0
    assert await count_rows(auth, account_sessions) == (action != SIGN_IN)
    # A proxy that hides referrers makes "null" of the origin; the site is told all the same.
    same_origin = {"origin": "null", **navigation("same-origin")}
    assert (await browser.post(action, data=fields, headers=same_origin)).has_redirect_location


@ON_SQLITE
@FORMS
async def test_without_a_session_a_form_leads_to_the_sign_in(
    auth: AuthUnderTest, action: str
) -> None:
    browser = auth.new_browser()
    access = (await auth.obtain_handles(browser))["access_token"]
    page = await look(await sign_in(auth, browser))
    auth.clock.advance(minutes=15)
    response = await press(browser, page, action)
    assert "Sign in" in (await look(browser, response.headers["location"])).text
    assert await auth.is_active(access)


@ON_SQLITE
async def test_another_site_cannot_sign_a_person_out_by_a_form_that_comes_without_the_cookie(
    auth: AuthUnderTest,
) -> None:
    # SameSite=Lax keeps the cookie from the request; the answer must not take it from the browser.
    response = await auth.new_browser().post(SIGN_OUT, data={"csrf_token": "made-up"})
    assert "set-cookie" not in response.headers


@ON_SQLITE
async def test_a_sign_in_form_is_good_for_its_browser_only(auth: AuthUnderTest) -> None:
    one, two = auth.new_browser(), auth.new_browser()
    page, _ = await look(one), await look(two)
    problem_page(await press(two, page, SIGN_IN))
    one.cookies.clear()
    assert "did not send back the cookie" in problem_page(await press(one, page, SIGN_IN))
    assert await count_rows(auth, account_logins) == 0


@ON_SQLITE
async def test_a_form_is_refused_after_fifteen_minutes_even_if_the_session_were_not(
    auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(seconds: int) -> None:
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: 1_000_000 + seconds)

    browser = auth.new_browser()
    at(0)
    access = (await auth.obtain_handles(browser))["access_token"]
    page = await look(await sign_in(auth, browser))
    at(901)
    problem_page(await press(browser, page, DISCONNECT))
    assert await auth.is_active(access)
    at(900)
    assert (await press(browser, page, DISCONNECT)).has_redirect_location


@ON_SQLITE
@pytest.mark.parametrize(
    ("notice", "signed_in", "signed_out"),
    [
        ("disconnected-all", True, False),
        ("signed-out", False, True),
        ("unavailable", False, True),
        ("<script>", False, False),
        ("", False, False),
        ("Your password is needed", False, False),
    ],
)
async def test_a_link_to_the_page_can_make_it_say_nothing_that_is_not_true_or_not_ours(
    auth: AuthUnderTest, notice: str, signed_in: bool, signed_out: bool
) -> None:
    stranger, person = auth.new_browser(), await sign_in(auth, auth.new_browser())
    for browser, expected in ((stranger, signed_out), (person, signed_in)):
        response = await browser.get("/account", params={"notice": notice})
        assert ('role="status"' in response.text) is expected
        assert not notice or notice not in Page(response.text).text


async def test_without_the_database_the_page_says_so_and_where_to_go(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    page = await look(await sign_in(auth, browser))
    await auth.settle()
    async with database_outage(auth):
        for response in (
            await browser.get("/account"),
            await press(browser, page, SIGN_OUT),
        ):
            assert "open the page again" in problem_page(response, 503)
            assert response.headers["retry-after"]
