"""What nobody has redeemed ends nothing that is in use: anybody's website can bring it about."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from auth_answers import code_at_client, count_rows
from auth_back_channel import keep_token_answers, refusal, replica_of
from auth_harness import AuthUnderTest, auth_under_test
from sqlalchemy import select
from two_resources import AT_OTHER, OTHER_RESOURCE, SETTINGS, SIMULATOR

from auth_server.domain.grants import RevocationReason
from auth_server.flows.sweep_expired import SweepExpired
from auth_server.storage.tables import consents, grants, upstream_revocations, upstream_tokens

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def auth(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The authorization server with two resources."""
    async with auth_under_test(database_url, simulator=SIMULATOR, **SETTINGS) as auth:
        yield auth


async def silently(auth: AuthUnderTest, browser: httpx.AsyncClient) -> str:
    """What a link on any website brings about, once consent is remembered: a code, and no page."""
    auth.clock.advance(seconds=1)
    to_pingone = await auth.authorize(browser)
    from_pingone = await browser.get(to_pingone.headers["location"])
    return code_at_client(await auth.back(browser, from_pingone))


async def reasons(auth: AuthUnderTest) -> list[str | None]:
    """Why each grant was revoked, in the order of their making; None for one that lives."""
    query = select(grants.c.revocation_reason).order_by(grants.c.created_at)
    async with auth.resources.database.reading_connection() as connection:
        return list((await connection.execute(query)).scalars())


async def test_a_website_that_starts_20_sign_ins_signs_no_app_out(auth: AuthUnderTest) -> None:
    at_pingone = keep_token_answers(auth)
    browser = auth.new_browser()
    handles = await auth.obtain_handles(browser)
    for _ in range(20):
        await silently(auth, browser)
    assert await auth.is_active(handles["access_token"])
    assert (await auth.refresh(handles["refresh_token"])).status_code == 200
    # Of the 20, the newest is left, here and at PingOne.
    assert await reasons(auth) == [None] + ["superseded"] * 19 + [None]
    await auth.settle()
    lives = [auth.simulator.is_family_live(tokens["refresh_token"]) for tokens in at_pingone]
    assert lives == [True] + [False] * 19 + [True]


async def test_a_code_nobody_redeems_ends_with_its_tokens_at_the_next_sweep(
    auth: AuthUnderTest,
) -> None:
    at_pingone = keep_token_answers(auth)
    browser = auth.new_browser()
    handles = await auth.obtain_handles(browser)
    await silently(auth, browser)
    auth.clock.advance(minutes=3)
    resources = auth.resources
    sweep = SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )
    await sweep.until_clean()
    assert await reasons(auth) == [None, "unreachable"]
    await auth.settle()
    assert await count_rows(auth, upstream_revocations) == 0
    lives = [auth.simulator.is_family_live(tokens["refresh_token"]) for tokens in at_pingone]
    assert lives == [True, False]
    assert await auth.is_active(handles["access_token"])


async def test_sign_ins_at_once_on_two_replicas_leave_one_unredeemed_grant(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    await auth.obtain_handles(browser)
    async with replica_of(auth, **SETTINGS) as other:
        answers = []
        # As many as a browser and client may have under way.
        for replica in (auth, other) * 2:
            to_pingone = await replica.authorize(browser)
            answer = await browser.get(to_pingone.headers["location"])
            visitor = replica.new_browser()
            visitor.cookies = browser.cookies
            answers.append(replica.back(visitor, answer))
        for response in await asyncio.gather(*answers):
            code_at_client(response)
        await other.settle()
    assert sorted(map(str, await reasons(auth))) == ["None"] * 2 + ["superseded"] * 3
    assert await count_rows(auth, upstream_tokens) == 2


@pytest.mark.standard("RFC 8707 2.2 audience")
async def test_a_client_that_signs_in_to_two_servers_keeps_both_codes(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    here = await auth.obtain_code(browser)
    there = await auth.obtain_code(browser, **AT_OTHER)
    assert (await auth.exchange(here)).status_code == 200
    assert (await auth.exchange(there, resource=OTHER_RESOURCE)).status_code == 200


async def test_a_newer_sign_in_of_somebody_else_or_another_client_replaces_no_code(
    auth: AuthUnderTest,
) -> None:
    code = await auth.obtain_code()
    await auth.obtain_code(username="bob")
    client_id, auth.client_id = auth.client_id, (await auth.register())["client_id"]
    await auth.obtain_code()
    auth.client_id = client_id
    assert (await auth.exchange(code)).status_code == 200


async def test_the_code_that_a_newer_sign_in_replaced_is_refused_and_ends_nothing_else(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    older, newer = await auth.obtain_code(browser), await silently(auth, browser)
    assert refusal(await auth.exchange(older)) == "invalid_grant"
    assert (await auth.exchange(newer)).status_code == 200
    # The refused one has nothing left to end: consent is remembered as before.
    assert await count_rows(auth, consents) == 2


@ON_SQLITE
async def test_a_registration_that_nobody_redeems_a_code_for_expires_as_an_unused_one(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    await auth.obtain_code(browser)
    auth.clock.advance(minutes=59)
    await silently(auth, browser)
    auth.clock.advance(minutes=1)
    response = await auth.exchange("unknown")
    assert refusal(response, 401) == "invalid_client"


@ON_SQLITE
async def test_unredeemed_codes_keep_no_registration_from_making_room(database_url: str) -> None:
    async with auth_under_test(database_url, auth_client_ceiling=2) as auth:
        strangers = auth.client_id
        await auth.obtain_code()
        auth.client_id = (await auth.register())["client_id"]
        await auth.obtain_handles()
        for _ in range(2):
            auth.clock.advance(seconds=1)
            await auth.register()
        assert refusal(await auth.exchange("unknown")) == "invalid_grant"
        auth.client_id = strangers
        assert refusal(await auth.exchange("unknown"), 401) == "invalid_client"


def test_only_what_a_newer_grant_or_the_sweep_ends_leaves_access_as_it_is() -> None:
    kept = [reason for reason in RevocationReason if not reason.ends_access]
    assert kept == [RevocationReason.UNREACHABLE, RevocationReason.SUPERSEDED]
