"""Tokens that PingOne has issued are never simply dropped: they are used, or revoked there."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from auth_answers import count_rows, error_at_client
from auth_harness import AuthUnderTest, auth_under_test

from auth_server.flows.sweep_expired import SweepExpired
from auth_server.storage.tables import authorizations, upstream_tokens

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def sweep(auth: AuthUnderTest) -> None:
    """Sweep once, and await what it started."""
    resources = auth.resources
    await SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )()
    await auth.settle()


def revocations(auth: AuthUnderTest) -> int:
    """How many tokens auth has asked PingOne to revoke."""
    return sum(request.url.path.endswith("/revoke") for request in auth.pingone.requests)


async def test_a_second_consent_that_nobody_decides_ends_at_pingone_too(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    await auth.obtain_handles(browser)
    browser.cookies.delete("ST")
    page = await auth.back(
        browser, await auth.sign_on(browser, await auth.authorize(browser), "bob")
    )
    assert "Bob Baker" in page.text
    auth.clock.advance(minutes=9)
    await sweep(auth)
    # Of the first sign-on nothing is left but that it has ended.
    assert (await count_rows(auth, authorizations), revocations(auth)) == (2, 0)
    auth.clock.advance(minutes=1)
    await sweep(auth)
    # A late decision is still told to the client, for an hour.
    assert (await count_rows(auth, authorizations), revocations(auth)) == (2, 1)
    auth.clock.advance(hours=1)
    await sweep(auth)
    assert (await count_rows(auth, authorizations), revocations(auth)) == (1, 1)
    auth.clock.advance(minutes=20)  # an hour and a half after the first sign-on began
    await sweep(auth)
    assert (await count_rows(auth, authorizations), revocations(auth)) == (0, 1)


async def test_a_grant_that_no_handle_leads_to_any_more_ends_at_pingone_too(
    auth: AuthUnderTest,
) -> None:
    await auth.obtain_handles()
    auth.clock.advance(days=30)
    await sweep(auth)
    assert (await count_rows(auth, upstream_tokens), revocations(auth)) == (1, 0)
    auth.clock.advance(minutes=2)
    await sweep(auth)
    assert (await count_rows(auth, upstream_tokens), revocations(auth)) == (0, 1)


async def test_a_grant_that_ends_by_age_ends_at_pingone_too(database_url: str) -> None:
    async with auth_under_test(database_url, auth_grant_days=1) as auth:
        await auth.obtain_handles()
        auth.clock.advance(days=1, minutes=2)
        await sweep(auth)
        assert (await count_rows(auth, upstream_tokens), revocations(auth)) == (0, 1)


@ON_SQLITE
async def test_tokens_that_came_without_an_id_token_are_revoked(auth: AuthUnderTest) -> None:
    def without_id_token(answer: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if name != "id_token"}

    await change_token_answer(auth, without_id_token)
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    returned = await auth.sign_on(browser, await auth.decide(browser, consent))
    assert error_at_client(await auth.back(browser, returned)) == "server_error"
    await auth.settle()
    assert revocations(auth) == 1


@ON_SQLITE
async def test_a_lifetime_beyond_all_dates_is_cut(auth: AuthUnderTest) -> None:
    await change_token_answer(auth, lambda answer: answer | {"expires_in": 10**20})
    handles = await auth.obtain_handles()
    token = (await auth.introspect(handles["access_token"])).json()["downstream_token"]
    assert token["expires_at"] == int(auth.clock().timestamp()) + 30 * 24 * 3600


@ON_SQLITE
async def test_a_refresh_that_names_no_scope_has_not_changed_it(auth: AuthUnderTest) -> None:
    handles = await auth.obtain_handles()
    before = (await auth.introspect(handles["access_token"])).json()["downstream_token"]
    await change_token_answer(
        auth, lambda answer: {name: value for name, value in answer.items() if name != "scope"}
    )
    refreshed = (await auth.refresh(handles["refresh_token"])).json()
    auth.clock.advance(minutes=59, seconds=50)
    after = (await auth.introspect(refreshed["access_token"])).json()["downstream_token"]
    assert after["access_token"] != before["access_token"]
    assert after["scope"] == before["scope"]


async def test_used_clients_do_not_cost_a_newcomer_its_registration(database_url: str) -> None:
    async with auth_under_test(database_url, auth_client_ceiling=2) as auth:
        for _ in range(3):
            await auth.obtain_handles()
            auth.client_id = (await auth.register())["client_id"]
        newcomer = auth.client_id
        await auth.register()
        assert (await auth.authorize(auth.new_browser(), client_id=newcomer)).status_code == 200


async def change_token_answer(
    auth: AuthUnderTest, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Have PingOne's token endpoint answer something else from now on."""

    async def answer(
        request: httpx2.Request, pass_on: Callable[[httpx2.Request], Awaitable[httpx2.Response]]
    ) -> httpx2.Response:
        response = await pass_on(request)
        if not request.url.path.endswith("/token"):
            return response
        await response.aread()
        return httpx2.Response(response.status_code, json=change(response.json()))

    auth.pingone.intercept = answer
