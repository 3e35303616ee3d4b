"""A browser holds eight cookies of each kind at most; windows cannot push a sign-on out."""

import httpx
import pytest
from auth_answers import code_at_client, host_of, problem_page
from auth_harness import AuthUnderTest
from browser_cookies import ASKED, STARTED, held

from auth_server.endpoints.sign_in_cookies import MAX_COOKIES

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def shown(auth: AuthUnderTest, browser: httpx.AsyncClient) -> httpx.Response:
    """A consent page, a second after what happened before."""
    auth.clock.advance(seconds=1)
    return await auth.authorize(browser, prompt="consent")


async def test_windows_to_authorize_and_to_the_account_page_evict_no_sign_on_under_way(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answer = await auth.sign_on(browser, await auth.decide(browser, await shown(auth, browser)))
    started = held(browser, STARTED)
    for _ in range(MAX_COOKIES + 2):
        await shown(auth, browser)
        await browser.get("/account")
    assert held(browser, STARTED) == started
    code_at_client(await auth.back(browser, answer))


async def test_of_nine_forms_the_oldest_makes_room_and_the_others_can_be_sent(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    pages = []
    for number in range(MAX_COOKIES + 1):
        pages.append(await shown(auth, browser))
        assert len(held(browser, ASKED)) == min(number + 1, MAX_COOKIES)
    problem_page(await auth.decide(browser, pages[0]))
    for page in pages[1:]:
        assert host_of(await auth.decide(browser, page)) == "localhost:9080"


async def test_of_nine_sign_ons_the_oldest_makes_room_and_the_others_finish(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    clicks = []
    for number in range(MAX_COOKIES + 1):
        clicks.append(await auth.decide(browser, await shown(auth, browser)))
        assert len(held(browser, STARTED)) == min(number + 1, MAX_COOKIES)
    problem_page(await auth.back(browser, await auth.sign_on(browser, clicks[0])))
    for click in clicks[1:]:
        code_at_client(await auth.back(browser, await auth.sign_on(browser, click)))


async def test_more_cookies_than_we_ever_set_are_taken_back_a_few_at_a_time(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    for number in range(60):
        name = f"{ASKED}{number:022d}"
        browser.cookies.set(name, f"{number}.{'x' * 43}", domain="localhost.local", path="/")
    page = await shown(auth, browser)
    assert len(page.headers.get_list("set-cookie")) == 1 + 16
    assert host_of(await auth.decide(browser, page)) == "localhost:9080"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x" * 43,
        "." + "x" * 43,
        "1.short",
        "1." + "x" * 44,
        "-1." + "x" * 43,
        "1e3." + "x" * 43,
        "9" * 12 + "." + "x" * 43,
        "1.2." + "x" * 43,
        "\u0661." + "x" * 43,
    ],
    ids=ascii,
)
async def test_a_cookie_of_another_form_counts_for_nothing_and_costs_no_room(
    auth: AuthUnderTest, value: str
) -> None:
    browser = auth.new_browser()
    page = await shown(auth, browser)
    [own] = [f"{name}={secret}" for name, secret in held(browser, ASKED).items()]
    others = [f"{ASKED}{number:022d}={value}" for number in range(MAX_COOKIES)]
    browser.headers = httpx.Headers([(b"cookie", "; ".join([own, *others]).encode())])
    another = await shown(auth, browser)
    assert len(another.headers.get_list("set-cookie")) == 1
    assert host_of(await auth.decide(browser, page)) == "localhost:9080"
