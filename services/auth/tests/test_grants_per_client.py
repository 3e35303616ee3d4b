"""A person has a bounded number of grants in use at a client: the most idle one makes room."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from auth_answers import code_at_client
from auth_back_channel import keep_token_answers, refusal, replica_of
from auth_harness import RESOURCE, AuthUnderTest, auth_under_test
from sqlalchemy import select
from two_resources import AT_OTHER, OTHER_CLIENT, OTHER_RESOURCE, SETTINGS, SIMULATOR

from auth_server.storage.tables import grants


@pytest.fixture
async def auth(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The server with room for two grants of a person to a client."""
    async with auth_under_test(
        database_url, simulator=SIMULATOR, auth_grants_per_client=2, **SETTINGS
    ) as auth:
        yield auth


async def reasons(auth: AuthUnderTest) -> list[str | None]:
    """Why each grant was revoked, in the order of their making; None for one that lives."""
    query = select(grants.c.revocation_reason).order_by(grants.c.created_at)
    async with auth.resources.database.reading_connection() as connection:
        return list((await connection.execute(query)).scalars())


async def obtain_handles(auth: AuthUnderTest, username: str = "alice") -> dict[str, str]:
    """A login of its own, a second after the one before."""
    auth.clock.advance(seconds=1)
    handles: dict[str, str] = await auth.obtain_handles(username=username)
    return handles


async def test_one_grant_too_many_ends_the_most_idle_here_and_at_pingone(
    auth: AuthUnderTest,
) -> None:
    at_pingone = keep_token_answers(auth)
    first, second = await obtain_handles(auth), await obtain_handles(auth)
    auth.clock.advance(seconds=1)
    assert (await auth.refresh(first["refresh_token"])).status_code == 200
    third = await obtain_handles(auth)
    # The second is younger than the first, but was not used since.
    assert await reasons(auth) == [None, "superseded", None]
    for handles, is_active in ((first, True), (second, False), (third, True)):
        assert await auth.is_active(handles["access_token"]) is is_active
    assert refusal(await auth.refresh(second["refresh_token"])) == "invalid_grant"
    await auth.settle()
    lives = [auth.simulator.is_family_live(tokens["refresh_token"]) for tokens in at_pingone]
    assert lives == [True, False, True]


async def test_a_redemption_is_a_use(auth: AuthUnderTest) -> None:
    early = await auth.obtain_code(**AT_OTHER)
    for _ in range(2):
        await obtain_handles(auth)
    auth.clock.advance(seconds=1)
    handles = (await auth.exchange(early, resource=OTHER_RESOURCE)).json()
    assert await reasons(auth) == [None, "superseded", None]
    answer = await auth.introspect(handles["access_token"], auth=OTHER_CLIENT)
    assert answer.json()["active"]


async def test_a_second_consent_makes_room_as_well(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    await auth.obtain_handles(browser)
    for _ in range(2):
        await obtain_handles(auth, "bob")
    auth.clock.advance(seconds=1)
    auth.simulator.end_sessions_of("alice")
    to_pingone = await auth.authorize(browser)
    page = await auth.back(browser, await auth.sign_on(browser, to_pingone, "bob"))
    code = code_at_client(await auth.decide(browser, page))
    assert await reasons(auth) == [None] * 4
    assert (await auth.exchange(code)).status_code == 200
    assert await reasons(auth) == [None, "superseded", None, None]


async def test_grants_of_others_to_other_clients_and_ended_ones_take_no_room(
    auth: AuthUnderTest,
) -> None:
    ended = await obtain_handles(auth)
    form = {"client_id": auth.client_id, "token": ended["access_token"]}
    await auth.anyone.post("/revoke", data=form)
    await obtain_handles(auth, "bob")
    alices_client = auth.client_id
    auth.client_id = (await auth.register())["client_id"]
    await obtain_handles(auth)
    auth.client_id = alices_client
    for _ in range(2):
        await obtain_handles(auth)
    assert await reasons(auth) == ["revoked_by_client", None, None, None, None]


async def test_under_a_lower_number_all_that_are_too_many_end(auth: AuthUnderTest) -> None:
    for _ in range(2):
        await obtain_handles(auth)
    async with replica_of(auth, **SETTINGS, auth_grants_per_client=1) as other:
        await obtain_handles(other)
    assert await reasons(auth) == ["superseded", "superseded", None]


async def test_logins_at_once_on_two_replicas_leave_no_grant_too_many(auth: AuthUnderTest) -> None:
    at_pingone = keep_token_answers(auth)
    async with replica_of(auth, **SETTINGS) as other:
        for _ in range(4):
            auth.clock.advance(seconds=1)
            here = await auth.obtain_code()
            there = await other.obtain_code(**AT_OTHER)
            responses = await asyncio.gather(
                auth.exchange(here, resource=RESOURCE),
                other.exchange(there, resource=OTHER_RESOURCE),
            )
            assert [response.status_code for response in responses] == [200, 200]
        assert await reasons(auth) == ["superseded"] * 6 + [None] * 2
        await other.settle()
    await auth.settle()
    lives = [auth.simulator.is_family_live(tokens["refresh_token"]) for tokens in at_pingone]
    assert lives == [False] * 6 + [True] * 2


async def test_a_code_that_is_replaced_while_it_is_redeemed_gives_handles_or_has_ended(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    await auth.obtain_handles(browser)
    async with replica_of(auth, **SETTINGS) as other:
        for _ in range(4):
            auth.clock.advance(seconds=1)
            code = await auth.obtain_code(browser)
            to_pingone = await auth.authorize(browser)
            answer = await auth.sign_on(browser, to_pingone)
            response, returned = await asyncio.gather(
                other.exchange(code), auth.back(browser, answer)
            )
            replaced_by = code_at_client(returned)
            if response.status_code == 200:
                assert await auth.is_active(response.json()["access_token"])
            else:
                assert refusal(response) == "invalid_grant"
            assert (await auth.exchange(replaced_by)).status_code == 200
        assert (await reasons(auth)).count(None) == 2
