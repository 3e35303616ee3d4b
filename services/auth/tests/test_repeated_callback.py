"""The same browser repeats PingOne's answer: it is sent to the client again, for a minute."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import httpx2
import pytest
from auth_answers import (
    PAGE_HEADERS,
    code_at_client,
    count_rows,
    error_at_client,
    outcome_page,
    problem_page,
)
from auth_back_channel import is_for
from auth_harness import AuthUnderTest, PassOn, auth_under_test, redirect_query

from auth_server.flows.repeat_answer import WAIT_SECONDS
from auth_server.storage.tables import grants

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# Three questions to PingOne at the most, and ten seconds for the rest.
LONGEST_FINISH = 3 * 10 + 10


async def returned(auth: AuthUnderTest, browser: httpx.AsyncClient) -> httpx.Response:
    """The redirect with which PingOne sends the browser back after the sign-on."""
    to_pingone = await auth.decide(browser, await auth.authorize(browser))
    return await auth.sign_on(browser, to_pingone)


class Naps:
    """Time that a request waits: none passes, and what else happens meanwhile may be told."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def __call__(self, seconds: float) -> None:
        """Wait, in place of asyncio.sleep."""
        self.seconds += seconds
        if self.meanwhile is not None:
            await self.meanwhile()


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
async def auth(database_url: str, naps: Naps) -> AsyncIterator[AuthUnderTest]:
    async with auth_under_test(database_url, sleep=naps) as auth:
        yield auth


@asynccontextmanager
async def held_at_pingone(
    auth: AuthUnderTest, browser: httpx.AsyncClient, answer: httpx.Response
) -> AsyncIterator[tuple[asyncio.Task[httpx.Response], asyncio.Event]]:
    """The first callback, whose code PingOne does not redeem before the event."""
    has_arrived, may_go_on = asyncio.Event(), asyncio.Event()

    async def hold(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        if is_for(request, "/token"):
            has_arrived.set()
            await may_go_on.wait()
        return await pass_on(request)

    auth.pingone.intercept = hold
    first = asyncio.create_task(auth.back(browser, answer))
    await has_arrived.wait()
    try:
        yield first, may_go_on
    finally:
        may_go_on.set()
        auth.pingone.intercept = None
        await asyncio.wait([first])


async def kill(first: asyncio.Task[httpx.Response]) -> None:
    """The process dies between spending the state and sealing the answer."""
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first


def reloading_page(response: httpx.Response) -> str:
    """The page that loads itself again, without a script."""
    assert response.status_code == 503
    assert response.headers["refresh"] == response.headers["retry-after"] == "2"
    assert {name: response.headers.get(name) for name in PAGE_HEADERS} == PAGE_HEADERS
    assert "<script" not in response.text
    assert "set-cookie" not in response.headers
    return response.text


@pytest.mark.standard("RFC 9700 4.7")
async def test_a_state_is_spent_once_and_the_same_browser_gets_the_same_answer_again(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    code = code_at_client(await auth.back(browser, answer))
    assert code_at_client(await auth.back(browser, answer)) == code
    # The replay neither made a second grant nor harmed the first.
    assert await count_rows(auth, grants) == 1
    assert (await auth.exchange(code)).status_code == 200


async def test_a_code_that_was_redeemed_is_not_sent_again_which_would_end_the_grant(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    handles = (await auth.exchange(code_at_client(await auth.back(browser, answer)))).json()
    assert "The app is connected" in outcome_page(await auth.back(browser, answer))
    assert await auth.is_active(handles["access_token"])


async def test_after_a_minute_a_repetition_gets_a_page(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    code_at_client(await auth.back(browser, answer))
    auth.clock.advance(seconds=60)
    assert "The app is connected" in outcome_page(await auth.back(browser, answer))


async def test_two_callbacks_of_one_state_get_one_code(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    both = await asyncio.gather(*[auth.back(browser, answer) for _ in range(5)])
    assert len({code_at_client(response) for response in both}) == 1
    assert await count_rows(auth, grants) == 1


@pytest.mark.parametrize("error", ["access_denied", "server_error"])
async def test_an_error_is_sent_again_as_well_and_no_code_follows_it(
    auth: AuthUnderTest, error: str
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    state = redirect_query(answer)["state"]
    for query in ({"error": error}, {"error": error}, {"code": "c"}):
        response = await browser.get("/callback", params={"state": state, **query})
        assert error_at_client(response) == error
    assert error_at_client(await auth.back(browser, answer)) == error
    auth.clock.advance(seconds=60)
    assert "This sign-in has ended" in outcome_page(await auth.back(browser, answer))
    assert await count_rows(auth, grants) == 0


async def test_another_browser_gets_nothing_of_an_answer_that_was_given(
    auth: AuthUnderTest,
) -> None:
    browser, other = auth.new_browser(), auth.new_browser()
    answer = await returned(auth, browser)
    await returned(auth, other)  # it has a cookie of its own
    code = code_at_client(await auth.back(browser, answer))
    for stranger in (other, auth.new_browser()):
        assert code not in problem_page(await auth.back(stranger, answer))
    url = httpx.URL(answer.headers["location"])
    for state in ("another", redirect_query(answer)["state"].swapcase()):
        problem_page(await browser.get(url.copy_set_param("state", state)))
    assert code_at_client(await auth.back(browser, answer)) == code


async def test_while_the_first_is_at_pingone_a_second_waits_and_then_reloads_itself(
    auth: AuthUnderTest, naps: Naps
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    async with held_at_pingone(auth, browser, answer) as (first, may_go_on):
        assert "Signing you in" in reloading_page(await auth.back(browser, answer))
        assert naps.seconds == WAIT_SECONDS
        # Nobody else is told that there is something to wait for.
        problem_page(await auth.back(auth.new_browser(), answer))
        may_go_on.set()
        code = code_at_client(await first)
    assert code_at_client(await auth.back(browser, answer)) == code
    assert auth.simulator.token_requests["authorization_code"] == 1


async def test_a_second_that_waits_gets_the_answer_as_soon_as_it_is_there(
    auth: AuthUnderTest, naps: Naps
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    async with held_at_pingone(auth, browser, answer) as (first, may_go_on):

        async def the_first_finishes() -> None:
            may_go_on.set()
            await asyncio.wait([first])

        naps.meanwhile = the_first_finishes
        second = await auth.back(browser, answer)
        assert code_at_client(second) == code_at_client(await first)
        assert naps.seconds < WAIT_SECONDS


async def test_after_a_killed_process_a_repetition_tells_the_client(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    async with held_at_pingone(auth, browser, answer) as (first, _):
        await kill(first)
    auth.clock.advance(seconds=LONGEST_FINISH - 1)
    reloading_page(await auth.back(browser, answer))
    auth.clock.advance(seconds=1)
    for _ in range(2):
        assert error_at_client(await auth.back(browser, answer)) == "server_error"
    assert await count_rows(auth, grants) == 0


async def test_after_a_killed_process_the_form_can_be_allowed_again(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    answer = await auth.sign_on(browser, await auth.decide(browser, consent))
    async with held_at_pingone(auth, browser, answer) as (first, _):
        await kill(first)
    again = await auth.sign_on(browser, await auth.decide(browser, consent))
    code_at_client(await auth.back(browser, again))


async def test_a_process_that_was_given_up_gives_no_code_any_more_and_revokes_its_tokens(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    async with held_at_pingone(auth, browser, answer) as (first, may_go_on):
        auth.clock.advance(seconds=LONGEST_FINISH)
        assert error_at_client(await auth.back(browser, answer)) == "server_error"
        may_go_on.set()
        assert "This sign-in has ended" in outcome_page(await first)
    assert error_at_client(await auth.back(browser, answer)) == "server_error"
    await auth.settle()
    assert await count_rows(auth, grants) == 0
    assert [is_for(request, "/revoke") for request in auth.pingone.requests].count(True) == 1


@ON_SQLITE
async def test_a_repetition_neither_asks_pingone_nor_makes_anything(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    code_at_client(await auth.back(browser, answer))
    asked = len(auth.pingone.requests)
    for _ in range(3):
        code_at_client(await auth.back(browser, answer))
    assert len(auth.pingone.requests) == asked
    assert await count_rows(auth, grants) == 1


async def test_a_code_whose_grant_has_ended_is_not_sent_again(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    code = code_at_client(await auth.back(browser, answer))
    handles = (await auth.exchange(code)).json()
    form = {"client_id": auth.client_id, "token": handles["access_token"]}
    await auth.anyone.post("/revoke", data=form)
    outcome_page(await auth.back(browser, answer))
