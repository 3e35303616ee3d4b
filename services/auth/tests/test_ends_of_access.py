"""Whatever ends access ends all of it: two ways to end one thing do not differ.

In each of these tests a person's app has handles, a code that nobody has redeemed, a second consent
that waits, and a sign-in without a page that is at PingOne.
"""

import asyncio

import pytest
from account_steps import look, sign_in
from auth_answers import outcome_page, problem_page
from auth_back_channel import refusal
from auth_commands import Commands
from auth_harness import AuthUnderTest
from ends_of_access import (
    ASKS,
    ASKS_AGAIN,
    OF_ONE_PERSON,
    WIDER,
    Access,
    Way,
    all_kinds_of_access,
    operator_disables_the_client,
    operator_ends_the_client,
    operator_ends_the_person,
    person_disconnects_all,
    pingone_calls_its_tokens_dead,
)
from sqlalchemy import text

from auth_server.domain.grants import RevocationReason


@pytest.fixture
def run(auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(auth, monkeypatch)


@pytest.fixture
async def access(auth: AuthUnderTest, run: Commands) -> Access:
    return await all_kinds_of_access(auth, run)


WAYS = pytest.mark.parametrize("way", OF_ONE_PERSON + WIDER, ids=lambda way: way.__name__)


@WAYS
async def test_whatever_ends_access_leaves_no_way_back_without_a_page(
    access: Access, way: Way
) -> None:
    auth = access.auth
    await way(access)
    assert not await auth.is_active(access.handles["access_token"])
    assert refusal(await auth.refresh(access.handles["refresh_token"])) == "invalid_grant"
    assert refusal(await auth.exchange(access.unredeemed_code)) == "invalid_grant"
    ended = outcome_page(await auth.decide(access.asked, access.second_consent))
    assert "This sign-in has ended" in ended
    # Whose sign-in is at PingOne was not known; now it is, and her consent is forgotten.
    if way in (operator_ends_the_client, operator_disables_the_client):
        problem_page(await auth.back(access.browser, access.silent_answer))
    else:
        assert ASKS_AGAIN in (await auth.back(access.browser, access.silent_answer)).text
    assert ASKS in (await auth.authorize(access.browser)).text


@WAYS
async def test_whatever_ends_access_has_all_its_tokens_revoked_at_pingone(
    access: Access, way: Way
) -> None:
    await way(access)
    # A command leaves that to the replicas.
    access.auth.resources.send_revocations.wake()
    await access.auth.settle()
    lives = [access.auth.simulator.is_family_live(one) for one in access.families]
    # What PingOne has called dead is not revoked there: here it lives, for the test made it up.
    assert lives == [way is pingone_calls_its_tokens_dead, False, False]


@pytest.mark.parametrize("way", OF_ONE_PERSON, ids=lambda way: way.__name__)
async def test_the_end_of_one_persons_access_to_one_client_is_nobody_elses(
    access: Access, way: Way
) -> None:
    await way(access)
    assert await access.auth.is_active(access.bobs)
    assert await access.auth.is_active(access.others)


async def test_a_code_with_a_wrong_proof_ends_what_nobody_redeemed_and_the_consents(
    access: Access,
) -> None:
    auth = access.auth
    wrong = await auth.exchange(access.unredeemed_code, code_verifier="w" * 43)
    assert refusal(wrong) == "invalid_grant"
    # The app that redeemed its code has done nothing wrong.
    assert await auth.is_active(access.handles["access_token"])
    ended = outcome_page(await auth.decide(access.asked, access.second_consent))
    assert "This sign-in has ended" in ended
    assert ASKS in (await auth.authorize(access.browser)).text


async def test_what_an_operator_ends_does_not_come_back_without_a_page(
    auth: AuthUnderTest, run: Commands
) -> None:
    browser = auth.new_browser()
    handles = await auth.obtain_handles(browser)
    [grant] = await run.json("grants", "list")
    await run.text("grants", "revoke", grant["id"], "--reason", "laptop stolen", "--yes")
    assert not await auth.is_active(handles["access_token"])
    assert ASKS in (await auth.authorize(browser)).text


@pytest.mark.parametrize("by_person", [True, False])
async def test_an_operator_who_ends_again_what_has_ended_has_consents_forgotten(
    auth: AuthUnderTest, run: Commands, by_person: bool
) -> None:
    browser = auth.new_browser()
    await auth.obtain_handles(browser)
    [grant] = await run.json("grants", "list")
    # It ended for a reason that leaves consents as they are.
    await auth.resources.revoke_grant(grant["id"], RevocationReason.SUPERSEDED)
    assert (await auth.authorize(browser)).has_redirect_location
    which = ("--subject", grant["subject"]) if by_person else (grant["id"],)
    said = await run.text("grants", "revoke", *which, "--reason", "lost", "--yes")
    assert "0 grants ended" in said
    assert ASKS in (await auth.authorize(browser)).text
    last = (await run.json("audit", "export"))[-1]
    assert (last["event"], last["actor"], last["note"]) == (
        "consents_forgotten",
        "operator",
        "lost",
    )
    assert (last["subject"], last["client_id"]) == (grant["subject"], auth.client_id)


async def test_a_deleted_client_has_nothing_left_and_its_sign_ins_end(
    access: Access,
) -> None:
    auth = access.auth
    await access.run.text("clients", "delete", auth.client_id, "--yes")
    assert not await auth.is_active(access.handles["access_token"])
    assert not await auth.is_active(access.bobs)
    ended = outcome_page(await auth.decide(access.asked, access.second_consent))
    assert "This sign-in has ended" in ended
    problem_page(await auth.back(access.browser, access.silent_answer))
    problem_page(await auth.authorize(access.browser), 401)
    assert await auth.is_active(access.others)


async def test_an_operator_who_ends_a_person_ends_their_account_sessions_and_nobody_elses(
    access: Access,
) -> None:
    bobs = await sign_in(access.auth, access.auth.new_browser(), "bob")
    await operator_ends_the_person(access)
    assert "Sign in" in (await look(access.browser)).text
    assert "Bob Baker" in (await look(bobs)).text


async def test_a_person_who_disconnects_all_ends_their_other_account_sessions(
    access: Access,
) -> None:
    elsewhere = await sign_in(access.auth, access.auth.new_browser())
    await person_disconnects_all(access)
    assert "Alice Archer" in (await look(access.browser)).text
    assert "Alice Archer" not in (await look(elsewhere)).text


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_sign_in_that_comes_back_while_its_access_ends_is_asked_about(
    access: Access,
) -> None:
    auth, database = access.auth, access.auth.resources.database
    grant = await access.grant()
    async with database.transaction() as tx:
        await tx.grants.hold(grant["subject"], auth.client_id)
        returning = asyncio.create_task(auth.back(access.browser, access.silent_answer))
        async with asyncio.timeout(30):
            while not await _waits_for_a_lock(auth):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await tx.consents.forget(grant["subject"], auth.client_id)
    assert ASKS_AGAIN in (await returning).text


async def _waits_for_a_lock(auth: AuthUnderTest) -> bool:
    query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with auth.resources.database.reading_connection() as connection:
        return bool((await connection.execute(query)).scalar_one())
