"""The cookies of a sign-in: one for each form that asks, one for each sign-on that has begun.

And the long-lived one, by which a remembered consent is found, and which finishes nothing.
"""

from collections.abc import AsyncIterator

import httpx
import pytest
from auth_answers import answer_at_client, code_at_client, error_at_client, host_of, problem_page
from auth_harness import AuthUnderTest, form_of
from browser_cookies import ASKED, LONG_LIVED, STARTED, attributes_of, held, only_name, was_set
from deployed_auth import PUBLIC_URL, browser_of, deployed_auth

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HOUR = 3600
# Each lives an hour longer than what it is for; one as long as browsers keep any (RFC 6265bis 5.5).
MAX_AGES = {ASKED: 2 * HOUR, STARTED: HOUR // 2 + HOUR, LONG_LIVED: 400 * 24 * HOUR}
DEVELOPMENT = {"path": "/", "httponly": "True", "samesite": "lax"}
HTTPS = DEVELOPMENT | {"secure": "True"}


@pytest.fixture
async def deployed(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The server as it is deployed: behind https."""
    async with deployed_auth(database_url) as auth:
        yield auth


async def assert_cookies(
    auth: AuthUnderTest, browser: httpx.AsyncClient, expected: dict[str, str]
) -> None:
    """Every cookie of a sign-in is set where it belongs, and nowhere else, as expected."""
    consent = await auth.authorize(browser)
    allowed = await auth.decide(browser, consent)
    back = await auth.back(browser, await auth.sign_on(browser, allowed))
    for response, kinds in ((consent, {ASKED}), (allowed, {STARTED, LONG_LIVED}), (back, set())):
        assert len(response.headers.get_list("set-cookie")) == len(kinds)
        for kind in kinds:
            max_age = {"max-age": str(MAX_AGES[kind])}
            assert attributes_of(response, kind) == expected | max_age


@ON_SQLITE
async def test_in_development_the_cookies_are_bound_to_this_site_and_hidden_from_scripts(
    auth: AuthUnderTest,
) -> None:
    await assert_cookies(auth, auth.new_browser(), DEVELOPMENT)


@pytest.mark.standard("MCP 2026-07-28 security: consent cookie")
@ON_SQLITE
async def test_behind_https_the_cookies_are_secure_and_host_only(deployed: AuthUnderTest) -> None:
    browser = browser_of(deployed)
    await assert_cookies(deployed, browser, HTTPS)
    for kind in MAX_AGES:
        assert only_name(browser, kind).startswith("__Host-")


@pytest.mark.standard("RFC 9207 2.3", "RFC 9700 4.13")
@ON_SQLITE
async def test_behind_https_the_whole_login_names_the_public_url(deployed: AuthUnderTest) -> None:
    browser = browser_of(deployed)
    to_pingone = await deployed.decide(browser, await deployed.authorize(browser))
    returned = await deployed.sign_on(browser, to_pingone)
    assert returned.headers["location"].startswith(f"{PUBLIC_URL}/callback?")
    code_at_client(await deployed.back(browser, returned), issuer=PUBLIC_URL)


@ON_SQLITE
@pytest.mark.parametrize("kind", [ASKED, STARTED])
async def test_behind_https_a_cookie_of_development_counts_for_nothing(
    deployed: AuthUnderTest, kind: str
) -> None:
    browser = browser_of(deployed)
    consent = await deployed.authorize(browser)
    answer = await deployed.sign_on(browser, await deployed.decide(browser, consent))
    [(name, value)] = held(browser, kind).items()
    browser.cookies.delete(name)
    # A sibling host can set this one, but no cookie whose name begins with __Host-.
    browser.cookies.set(name.removeprefix("__Host-"), value, domain="auth.example.com")
    if kind == ASKED:
        problem_page(await deployed.decide(browser, consent))
    else:
        problem_page(await deployed.back(browser, answer))


@ON_SQLITE
@pytest.mark.parametrize(
    "value",
    ["", "short", "x" * 44, "x" * 42, '"' + "x" * 41 + '"', '"\\001' + 42 * "a" + '"'],
)
async def test_a_cookie_that_is_none_of_ours_is_replaced_at_allow(
    auth: AuthUnderTest, value: str
) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    cookies = [f"{name}={secret}" for name, secret in held(browser, ASKED).items()]
    browser.headers["cookie"] = "; ".join([f"{LONG_LIVED}={value}", *cookies])
    allowed = await auth.decide(browser, consent)
    assert host_of(allowed) == "localhost:9080"
    [cookie] = was_set(allowed, LONG_LIVED)
    assert cookie[LONG_LIVED].value != value
    assert len(cookie[LONG_LIVED].value) == 43


@ON_SQLITE
async def test_a_browser_keeps_the_long_lived_cookie_that_it_has(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    assert was_set(await auth.decide(browser, await auth.authorize(browser)), LONG_LIVED)
    before = held(browser, LONG_LIVED)
    # What was read is never set again, so that nobody's planted secret becomes ours.
    for page in (
        await auth.authorize(browser),
        await browser.get("/account"),
        await auth.decide(browser, await auth.authorize(browser)),
    ):
        assert not was_set(page, LONG_LIVED)
    assert held(browser, LONG_LIVED) == before


async def test_without_a_decision_a_browser_gets_no_long_lived_cookie(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    await browser.get("/account")
    await auth.decide(browser, consent, "deny")
    assert not held(browser, LONG_LIVED)
    assert not held(browser, STARTED)


@ON_SQLITE
async def test_the_long_lived_cookie_is_not_needed_to_finish_and_finishes_nothing(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answer = await auth.sign_on(browser, await auth.decide(browser, await auth.authorize(browser)))
    started = held(browser, STARTED)
    for name in started:
        browser.cookies.delete(name)
    problem_page(await auth.back(browser, answer))
    browser.cookies.delete(LONG_LIVED)
    for name, value in started.items():
        browser.cookies.set(name, value, domain="localhost.local", path="/")
    code_at_client(await auth.back(browser, answer))


async def test_three_tabs_opened_together_by_a_browser_without_cookies_all_finish(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    # None of the three requests carries a cookie: the answers come after all were sent.
    tabs = [auth.new_browser() for _ in range(3)]
    states = [f"tab {number}" for number in range(3)]
    pages = [
        await auth.authorize(tab, state=state) for tab, state in zip(tabs, states, strict=True)
    ]
    for tab in tabs:
        browser.cookies.update(tab.cookies)
    clicks = [await auth.decide(browser, page) for page in pages]
    answers = [await auth.sign_on(browser, click) for click in reversed(clicks)]
    for state, answer in zip(reversed(states), answers, strict=True):
        code = code_at_client(await auth.back(browser, answer), state=state)
        assert (await auth.exchange(code)).status_code == 200


async def test_two_tabs_have_a_cookie_each_and_both_finish(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    one = await auth.authorize(browser, state="tab one")
    two = await auth.authorize(browser, state="tab two")
    one_at_pingone = await auth.decide(browser, one)
    long_lived = held(browser, LONG_LIVED)
    two_at_pingone = await auth.decide(browser, two)
    assert len(held(browser, ASKED)) == len(held(browser, STARTED)) == 2
    assert held(browser, LONG_LIVED) == long_lived
    for at_pingone, state in ((two_at_pingone, "tab two"), (one_at_pingone, "tab one")):
        returned = await auth.back(browser, await auth.sign_on(browser, at_pingone))
        code = code_at_client(returned, state=state)
        assert (await auth.exchange(code)).status_code == 200


@ON_SQLITE
async def test_denying_in_one_tab_leaves_the_other_alone(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    one, two = await auth.authorize(browser), await auth.authorize(browser)
    assert error_at_client(await auth.decide(browser, one, "deny")) == "access_denied"
    returned = await auth.sign_on(browser, await auth.decide(browser, two))
    code_at_client(await auth.back(browser, returned))


@ON_SQLITE
async def test_the_answer_of_one_tab_does_not_finish_the_other(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    returned: list[httpx.URL] = []
    for _ in range(2):
        to_pingone = await auth.decide(browser, await auth.authorize(browser, prompt="consent"))
        returned.append(httpx.URL((await auth.sign_on(browser, to_pingone)).headers["location"]))
    # PingOne's code is bound by PKCE to the login it was issued for.
    mixed = returned[0].copy_set_param("code", returned[1].params["code"])
    answer = answer_at_client(await browser.get(mixed))
    assert answer["error"] == "server_error"


async def test_the_form_of_one_browser_decides_nothing_in_another(auth: AuthUnderTest) -> None:
    alices, mallorys = auth.new_browser(), auth.new_browser()
    alices_page = await auth.authorize(alices)
    mallorys_page = await auth.authorize(mallorys)
    one, other = form_of(alices_page), form_of(mallorys_page)
    for decision in ("allow", "deny"):
        for form in (one, other | {"form_id": one["form_id"]}, one | {"form_id": other["form_id"]}):
            problem_page(await mallorys.post("/consent", data={**form, "decision": decision}))
    # Nobody's authorization was spent by the attempts.
    for browser, page in ((alices, alices_page), (mallorys, mallorys_page)):
        returned = await auth.sign_on(browser, await auth.decide(browser, page))
        code_at_client(await auth.back(browser, returned))
