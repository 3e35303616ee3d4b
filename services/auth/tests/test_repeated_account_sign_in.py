"""The way back to the account page is repeated: the same browser gets the same session again."""

import asyncio

import httpx
import httpx2
import pytest
from account_steps import SIGN_OUT, look, press, to_pingone
from auth_answers import count_rows, problem_page
from auth_back_channel import is_for, replica_of
from auth_harness import AuthUnderTest, PassOn, redirect_query

from auth_server.storage.tables import account_sessions, spent_account_logins

COOKIE = "mcp_pingone_account"
# Three questions to PingOne at the most, and ten seconds for the rest.
LONGEST_FINISH = 3 * 10 + 10


async def returned(auth: AuthUnderTest, browser: httpx.AsyncClient) -> httpx.Response:
    """PingOne's redirect back, after a sign-on for the account page."""
    return await auth.sign_on(browser, await to_pingone(browser))


async def is_signed_in(browser: httpx.AsyncClient) -> bool:
    return "You are signed in as" in (await look(browser)).text


async def test_a_sign_in_is_spent_once_and_the_same_browser_gets_its_session_again(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    await auth.back(browser, answer)
    session = browser.cookies[COOKIE]
    asked = len(auth.pingone.requests)
    browser.cookies.delete(COOKIE)  # the answer that set it never arrived
    async with replica_of(auth) as other:
        there = other.new_browser()
        there.cookies.jar = browser.cookies.jar
        response = await other.back(there, answer)
    assert response.headers["location"] == "/account"
    assert browser.cookies[COOKIE] == session
    assert await is_signed_in(browser)
    assert await count_rows(auth, account_sessions) == 1
    assert not [r for r in auth.pingone.requests[asked:] if is_for(r, "/token")]


async def test_another_browser_gets_no_session_by_repeating_it(auth: AuthUnderTest) -> None:
    browser, other = auth.new_browser(), auth.new_browser()
    answer = await returned(auth, browser)
    await returned(auth, other)  # it has a cookie of its own
    await auth.back(browser, answer)
    for stranger in (other, auth.new_browser()):
        response = await auth.back(stranger, answer)
        problem_page(response)
        assert "set-cookie" not in response.headers
    problem_page(await browser.get("/callback", params={"state": "another", "code": "c"}))


async def test_after_a_minute_it_is_not_known_any_more_and_nothing_of_it_is_left(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    await auth.back(browser, answer)
    auth.clock.advance(seconds=60)
    problem_page(await auth.back(browser, answer))
    await auth.sweep()
    assert await count_rows(auth, spent_account_logins) == 0


async def test_a_session_that_was_ended_does_not_return(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    await auth.back(browser, answer)
    await press(browser, await look(browser), SIGN_OUT)
    response = await auth.back(browser, answer)
    assert response.headers["location"] == "/account"
    assert "set-cookie" not in response.headers
    assert not await is_signed_in(browser)


@pytest.mark.parametrize(
    ("error", "notice"), [("access_denied", "cancelled"), ("server_error", "failed")]
)
async def test_a_failure_is_told_again_and_no_session_follows_it(
    auth: AuthUnderTest, error: str, notice: str
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    state = redirect_query(answer)["state"]
    for _ in range(2):
        response = await browser.get("/callback", params={"state": state, "error": error})
        assert response.headers["location"] == f"/account?notice={notice}"
    later = await auth.back(browser, answer)
    assert later.headers["location"] == f"/account?notice={notice}"
    assert await count_rows(auth, account_sessions) == 0


async def test_while_pingone_answers_a_page_reloads_itself_and_after_a_kill_it_says_so(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    has_arrived = asyncio.Event()

    async def hold(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        if is_for(request, "/token"):
            has_arrived.set()
            await asyncio.Event().wait()
        return await pass_on(request)

    auth.pingone.intercept = hold
    first = asyncio.create_task(auth.back(browser, answer))
    await has_arrived.wait()
    page = await auth.back(browser, answer)
    assert (page.status_code, page.headers["refresh"]) == (503, "2")
    first.cancel()  # the process dies between spending the state and sealing the answer
    with pytest.raises(asyncio.CancelledError):
        await first
    auth.clock.advance(seconds=LONGEST_FINISH - 1)
    assert (await auth.back(browser, answer)).status_code == 503
    auth.clock.advance(seconds=1)
    response = await auth.back(browser, answer)
    assert response.headers["location"] == "/account?notice=failed"
