"""A resource that is taken out of the configuration: its grants sleep, and nothing stumbles."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import httpx
import pytest
from account_steps import DISCONNECT, look, press, sign_in
from auth_answers import count_rows, error_at_client
from auth_back_channel import keep_token_answers, refusal, replica_of
from auth_harness import INTROSPECTION_CLIENT, AuthUnderTest, auth_under_test
from two_resources import (
    AT_OTHER,
    ENTRIES,
    OTHER_CLIENT,
    OTHER_RESOURCE,
    SETTINGS,
    SIMULATOR,
    handles_at_other,
)

from auth_server.flows.sweep_expired import SweepExpired
from auth_server.storage.tables import grants

WITHOUT_OTHER = SETTINGS | {"auth_resources": json.dumps(ENTRIES[:1])}


@pytest.fixture
async def auth(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The authorization server with two resources."""
    async with auth_under_test(database_url, simulator=SIMULATOR, **SETTINGS) as auth:
        yield auth


def reconfigured(auth: AuthUnderTest) -> AbstractAsyncContextManager[AuthUnderTest]:
    """The same deployment after the second resource was taken out."""
    return replica_of(auth, **WITHOUT_OTHER)


async def at_second_consent(auth: AuthUnderTest, browser: httpx.AsyncClient) -> httpx.Response:
    """The page that asks bob, in a browser in which alice's consent is remembered."""
    await auth.obtain_code(browser, **AT_OTHER)
    to_pingone = await auth.authorize(browser, **(AT_OTHER | {"prompt": "login"}))
    returned = await auth.sign_on(browser, to_pingone, "bob")
    page = await auth.back(browser, returned)
    assert "Use this account with the app?" in page.text
    return page


async def test_its_handles_are_inactive_for_everybody_who_can_still_ask(
    auth: AuthUnderTest,
) -> None:
    handles = await handles_at_other(auth)
    async with reconfigured(auth) as later:
        response = await later.introspect(handles["access_token"], auth=INTROSPECTION_CLIENT)
        assert response.json() == {"active": False}
        response = await later.introspect(handles["access_token"], auth=OTHER_CLIENT)
        assert refusal(response, 401) == "invalid_client"


async def test_a_resource_that_comes_back_finds_everybody_signed_in(auth: AuthUnderTest) -> None:
    handles = await handles_at_other(auth)
    async with reconfigured(auth) as later:
        refreshed = (await later.refresh(handles["refresh_token"])).json()
        assert refreshed["scope"] == handles["scope"]
    auth.clock.advance(minutes=59, seconds=30)
    response = await auth.introspect(refreshed["access_token"], auth=OTHER_CLIENT)
    assert response.json()["active"], "and its token is refreshed at PingOne"


async def test_a_new_authorization_for_it_is_refused(auth: AuthUnderTest) -> None:
    async with reconfigured(auth) as later:
        response = await later.authorize(later.new_browser(), **AT_OTHER)
        assert error_at_client(response) == "invalid_target"


async def test_a_consent_page_that_was_open_leads_back_to_the_client(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    page = await auth.authorize(browser, **AT_OTHER)
    async with reconfigured(auth) as later:
        response = await later.decide(moved(later, browser), page)
        assert error_at_client(response) == "invalid_target"


async def test_a_login_that_was_under_way_leads_back_to_the_client(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    to_pingone = await auth.decide(browser, await auth.authorize(browser, **AT_OTHER))
    returned = await auth.sign_on(browser, to_pingone)
    async with reconfigured(auth) as later:
        response = await later.back(moved(later, browser), returned)
        assert error_at_client(response) == "invalid_target"
    assert await count_rows(auth, grants) == 0


async def test_a_second_consent_that_was_open_leads_back_and_leaves_no_token(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answers = keep_token_answers(auth)
    page = await at_second_consent(auth, browser)
    async with reconfigured(auth) as later:
        response = await later.decide(moved(later, browser), page)
        assert error_at_client(response) == "invalid_target"
        auth.clock.advance(minutes=10)
        await sweep(later)
        await later.settle()
    assert not auth.simulator.is_family_live(answers[-1]["refresh_token"])


async def test_the_account_page_lists_its_grants_and_ends_them(auth: AuthUnderTest) -> None:
    answers = keep_token_answers(auth)
    await handles_at_other(auth)
    async with reconfigured(auth) as later:
        browser = await sign_in(later, later.new_browser())
        page = await look(browser)
        assert OTHER_RESOURCE in page.text
        await press(browser, page, DISCONNECT)
        await later.settle()
        assert OTHER_RESOURCE not in (await look(browser)).text
    assert not auth.simulator.is_family_live(answers[0]["refresh_token"])


async def test_the_sweep_deletes_its_grants_when_they_are_due(auth: AuthUnderTest) -> None:
    await handles_at_other(auth)
    async with reconfigured(auth) as later:
        await sweep(later)
        assert await count_rows(later, grants) == 1
        auth.clock.advance(days=200)
        await sweep(later)
        await later.settle()
        assert await count_rows(later, grants) == 0


async def sweep(auth: AuthUnderTest) -> None:
    resources = auth.resources
    await SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    ).until_clean()


def moved(auth: AuthUnderTest, browser: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same browser in front of the other replica."""
    same = auth.new_browser()
    same.cookies.update(browser.cookies)
    return same
