"""An app that is allowed more goes on with its new grant: the old one ends, if it is known as its.

Known is: the app registered itself, so no other instance has its client_id; the same browser;
the same server; and more scopes than before. Whatever is less is a guess, and ends nothing.
"""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from account_steps import DISCONNECT, look, press, sign_in
from auth_back_channel import keep_token_answers
from auth_harness import REDIRECT_URI, AuthUnderTest, auth_under_test

READ, BOTH = "todo_api:read", "todo_api:read todo_api:write"
PORTAL = {
    "client_id": "portal",
    "client_name": "Portal",
    "redirect_uris": [REDIRECT_URI],
    "grant_types": ["authorization_code", "refresh_token"],
}


@pytest.fixture
async def auth(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The server, which also has a configured client."""
    async with auth_under_test(database_url, auth_clients=json.dumps([PORTAL])) as auth:
        yield auth


async def connect(auth: AuthUnderTest, browser: httpx.AsyncClient, scope: str) -> str:
    """Connect the client, a second after the last time; return the access handle."""
    auth.clock.advance(seconds=1)
    handle: str = (await auth.obtain_handles(browser, scope=scope))["access_token"]
    return handle


async def test_after_a_step_up_the_older_grant_ends_here_and_at_pingone(
    auth: AuthUnderTest,
) -> None:
    at_pingone = keep_token_answers(auth)
    browser = auth.new_browser()
    old, new = await connect(auth, browser, READ), await connect(auth, browser, BOTH)
    assert not await auth.is_active(old)
    assert await auth.is_active(new)
    await auth.settle()
    lives = [auth.simulator.is_family_live(tokens["refresh_token"]) for tokens in at_pingone]
    assert lives == [False, True]
    # Consent stays as it was given, so that the app is not asked about it again.
    assert (await auth.authorize(browser)).has_redirect_location


async def test_the_older_grant_lives_until_the_new_code_is_redeemed(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    old = await connect(auth, browser, READ)
    code = await auth.obtain_code(browser, scope=BOTH)
    assert await auth.is_active(old)
    assert (await auth.exchange(code)).status_code == 200
    assert not await auth.is_active(old)


@pytest.mark.parametrize(("before", "now"), [(BOTH, BOTH), (BOTH, READ), (READ, "todo_api:write")])
async def test_a_grant_that_allows_the_same_less_or_something_else_ends_none(
    auth: AuthUnderTest, before: str, now: str
) -> None:
    browser = auth.new_browser()
    old, new = await connect(auth, browser, before), await connect(auth, browser, now)
    assert await auth.is_active(old)
    assert await auth.is_active(new)


async def test_a_step_up_in_another_browser_may_be_another_device_and_ends_none(
    auth: AuthUnderTest,
) -> None:
    old = await connect(auth, auth.new_browser(), READ)
    await connect(auth, auth.new_browser(), BOTH)
    assert await auth.is_active(old)


async def test_a_step_up_of_a_client_id_that_many_instances_share_ends_none(
    auth: AuthUnderTest,
) -> None:
    auth.client_id = "portal"
    browser = auth.new_browser()
    old = await connect(auth, browser, READ)
    await connect(auth, browser, BOTH)
    assert await auth.is_active(old)


async def test_a_step_up_of_somebody_else_in_the_same_browser_ends_none(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    old = await connect(auth, browser, READ)
    auth.simulator.end_sessions_of("alice")
    await auth.obtain_handles(browser, "bob", scope=BOTH)
    assert await auth.is_active(old)


async def test_an_app_with_several_grants_is_one_entry_and_one_button_ends_them_all(
    auth: AuthUnderTest,
) -> None:
    auth.client_id = "portal"
    phone, laptop = auth.new_browser(), auth.new_browser()
    bob = (await auth.obtain_handles(username="bob"))["access_token"]
    handles = [await connect(auth, phone, READ), await connect(auth, laptop, BOTH)]
    page = await look(await sign_in(auth, laptop))
    assert page.apps == ["Portal"]
    # Together they may do both.
    assert "Technical details" in page.text
    assert page.text.count("todo_api:read todo_api:write") == 1
    await press(laptop, page, DISCONNECT)
    assert (await look(laptop)).apps == []
    assert not any([await auth.is_active(handle) for handle in handles])
    assert await auth.is_active(bob)
    for browser in (phone, laptop):
        assert "Allow this app to act for you?" in (await auth.authorize(browser)).text


async def test_an_app_whose_code_nobody_redeemed_is_not_listed(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    code = await auth.obtain_code(browser)
    await sign_in(auth, browser)
    assert (await look(browser)).apps == []
    assert (await auth.exchange(code)).status_code == 200
    assert len((await look(browser)).apps) == 1
