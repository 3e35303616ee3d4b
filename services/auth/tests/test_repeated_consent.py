"""One form is one consent, however often it is sent: a double click, Back, a page left open."""

import asyncio

import httpx
import httpx2
import pytest
from auth_answers import (
    code_at_client,
    count_rows,
    error_at_client,
    host_of,
    outcome_page,
    problem_page,
)
from auth_harness import AuthUnderTest, PassOn, redirect_query
from browser_cookies import STARTED, held

from auth_server.storage.tables import authorizations, consents, grants


async def finish(
    auth: AuthUnderTest, browser: httpx.AsyncClient, to_pingone: httpx.Response
) -> httpx.Response:
    """Sign on at PingOne and come back."""
    return await auth.back(browser, await auth.sign_on(browser, to_pingone))


def revocations(auth: AuthUnderTest) -> int:
    return sum(request.url.path.endswith("/revoke") for request in auth.pingone.requests)


async def test_deny_pressed_twice_tells_the_client_whichever_answer_the_browser_follows(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    for _ in range(2):
        assert error_at_client(await auth.decide(browser, consent, "deny")) == "access_denied"


async def test_allow_pressed_again_starts_again_and_either_way_ends_with_a_code(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    clicks = [await auth.decide(browser, consent) for _ in range(2)]
    assert len({redirect_query(click)["state"] for click in clicks}) == 2
    code_at_client(await finish(auth, browser, clicks[-1]))


async def test_one_form_gives_one_grant_however_often_it_is_allowed(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    clicks = [await auth.decide(browser, consent) for _ in range(4)]
    answers = [await auth.sign_on(browser, click) for click in clicks]
    ended = [await auth.back(browser, answer) for answer in answers]
    code_at_client(ended[0])
    for loser in ended[1:]:
        assert "The app is connected" in outcome_page(loser)
    assert await count_rows(auth, grants) == 1
    for decision in ("allow", "deny"):
        again = outcome_page(await auth.decide(browser, consent, decision))
        assert "The app is connected" in again
        assert 'href="/account"' in again


async def test_concurrent_callbacks_of_one_form_give_one_grant_and_the_others_tokens_are_revoked(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    clicks = [await auth.decide(browser, consent) for _ in range(4)]
    answers = [await auth.sign_on(browser, click) for click in clicks]
    ended = await asyncio.gather(*[auth.back(browser, answer) for answer in answers])
    assert sorted(response.status_code for response in ended) == [200, 200, 200, 303]
    assert await count_rows(auth, grants) == 1
    await auth.settle()
    assert revocations(auth) == auth.simulator.token_requests["authorization_code"] - 1


async def test_at_most_four_states_of_a_form_are_live(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    clicks = await asyncio.gather(*[auth.decide(browser, consent) for _ in range(10)])
    assert all(host_of(click) == "localhost:9080" for click in clicks)
    assert await count_rows(auth, authorizations) == 4


async def test_deny_after_allow_ends_the_sign_on_that_is_under_way(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    to_pingone = await auth.decide(browser, consent)
    assert error_at_client(await auth.decide(browser, consent, "deny")) == "access_denied"
    late = await finish(auth, browser, to_pingone)
    assert "You denied this request" in outcome_page(late)
    assert await count_rows(auth, grants) == 0


async def test_deny_while_pingone_answers_revokes_what_it_issued(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    to_pingone = await auth.decide(browser, consent)
    answer = await auth.sign_on(browser, to_pingone)

    async def denied_meanwhile(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        auth.pingone.intercept = None
        issued = await pass_on(request)
        assert error_at_client(await auth.decide(browser, consent, "deny")) == "access_denied"
        return issued

    auth.pingone.intercept = denied_meanwhile
    assert "You denied this request" in outcome_page(await auth.back(browser, answer))
    assert await count_rows(auth, grants) == 0
    await auth.settle()
    assert revocations(auth) == 1


async def test_a_page_that_was_left_open_for_an_hour_is_too_late_and_the_client_is_told(
    auth: AuthUnderTest,
) -> None:
    await auth.obtain_handles()  # a client that is in use
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    auth.clock.advance(hours=1)
    await auth.sweep()
    assert error_at_client(await auth.decide(browser, consent)) == "access_denied"
    assert error_at_client(await auth.decide(browser, consent, "deny")) == "access_denied"
    assert not held(browser, STARTED)
    auth.clock.advance(hours=1)
    assert "could not be accepted" in problem_page(await auth.decide(browser, consent))


@pytest.mark.parametrize("first", ["allow", "deny"])
async def test_a_decision_stands_when_the_page_comes_back_after_its_hour(
    auth: AuthUnderTest, first: str
) -> None:
    await auth.obtain_handles()  # a client that is in use
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    answer = await auth.decide(browser, consent, first)
    if first == "allow":
        code_at_client(await finish(auth, browser, answer))
    auth.clock.advance(hours=1)
    await auth.sweep()
    said = {"allow": "The app is connected", "deny": "You denied this request"}
    # Telling the client of a refusal now would contradict what it was told.
    assert said[first] in outcome_page(await auth.decide(browser, consent))


async def test_back_after_allow_and_allow_again_both_tabs_end_and_one_grant_is_left(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    left = await auth.decide(browser, consent)  # the person goes back from PingOne's page
    code = code_at_client(await finish(auth, browser, await auth.decide(browser, consent)))
    # The window that was left open signs on after all, and changes nothing.
    assert "The app is connected" in outcome_page(await finish(auth, browser, left))
    handles = (await auth.exchange(code)).json()
    assert await auth.is_active(handles["access_token"])
    assert await count_rows(auth, grants) == 1


async def test_back_after_allow_and_deny_connects_nothing_and_remembers_nothing(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    left = await auth.decide(browser, consent)
    assert error_at_client(await auth.decide(browser, consent, "deny")) == "access_denied"
    for _ in range(2):
        assert "You denied this request" in outcome_page(await finish(auth, browser, left))
    assert "You denied this request" in outcome_page(await auth.decide(browser, consent))
    assert not auth.simulator.token_requests["authorization_code"]
    for table in (grants, consents):
        assert await count_rows(auth, table) == 0


async def test_a_sign_on_that_failed_leaves_the_form_open_for_another_one(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    state = redirect_query(await auth.decide(browser, consent))["state"]
    cancelled = {"state": state, "error": "access_denied"}
    assert error_at_client(await browser.get("/callback", params=cancelled)) == "access_denied"
    code_at_client(await finish(auth, browser, await auth.decide(browser, consent)))


async def test_a_fifth_allow_ends_the_oldest_sign_on_and_none_of_the_others(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    clicks = []
    for _ in range(5):
        clicks.append(await auth.decide(browser, consent))
        auth.clock.advance(seconds=1)
    problem_page(await finish(auth, browser, clicks[0]))
    code_at_client(await finish(auth, browser, clicks[1]))
    for click in clicks[2:]:
        assert "The app is connected" in outcome_page(await finish(auth, browser, click))


async def test_remembered_consents_leave_at_most_four_sign_ons_of_a_browser_and_client(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    await auth.obtain_code(browser)
    before = await count_rows(auth, authorizations)
    auth.clock.advance(seconds=1)
    sent = []
    for _ in range(6):
        sent.append(await auth.authorize(browser))
        assert host_of(sent[-1]) == "localhost:9080"
        auth.clock.advance(seconds=1)
    assert await count_rows(auth, authorizations) == before + 4
    # Another client of the same browser has four of its own.
    auth.client_id = (await auth.register())["client_id"]
    await auth.obtain_code(browser)
    await auth.authorize(browser)
    assert await count_rows(auth, authorizations) == before + 4 + 2
    code_at_client(await finish(auth, browser, sent[-1]))
