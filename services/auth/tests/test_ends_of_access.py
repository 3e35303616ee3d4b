"""Whatever ends access ends all of it: two ways to end one thing do not differ.

In each of these tests a person's app has handles, a code that nobody has redeemed, a second consent
that waits, and a sign-in without a page that is at PingOne.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from account_steps import DISCONNECT, DISCONNECT_ALL, look, press, sign_in
from auth_answers import code_at_client, problem_page
from auth_back_channel import keep_token_answers, refusal
from auth_commands import Commands
from auth_harness import AuthUnderTest
from sqlalchemy import text

from auth_server.domain.grants import RevocationReason

ASKS, ASKS_AGAIN = "Allow this app to act for you?", "Use this account with the app?"


@dataclass
class Access:
    """All that alice's app has or is about to have; and what others have."""

    auth: AuthUnderTest
    run: Commands
    browser: httpx.AsyncClient
    handles: dict[str, Any]
    spent: dict[str, Any]
    redeemed_code: str
    unredeemed_code: str
    second_consent: httpx.Response
    asked: httpx.AsyncClient
    silent_answer: httpx.Response
    # At PingOne: of the four sign-ins of alice with this app, by their refresh tokens.
    families: list[str]
    bobs: str
    others: str

    async def grant(self) -> dict[str, Any]:
        """The grant behind the handles, as an operator sees it: her oldest one."""
        found = await self.run.json("grants", "list", "--client", self.auth.client_id)
        return [grant for grant in found if grant["username"] == "Alice Archer"][-1]


@pytest.fixture
def run(auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(auth, monkeypatch)


@pytest.fixture
async def access(auth: AuthUnderTest, run: Commands) -> Access:
    browser, asked = auth.new_browser(), auth.new_browser()
    at_pingone = keep_token_answers(auth)
    redeemed_code = await auth.obtain_code(browser)
    spent = (await auth.exchange(redeemed_code)).json()
    handles = (await auth.refresh(spent["refresh_token"])).json()
    # So that the spent handle is a stolen one by now.
    auth.clock.advance(seconds=61)
    client_id, auth.client_id = auth.client_id, (await auth.register())["client_id"]
    others = (await auth.obtain_handles(browser))["access_token"]
    auth.client_id = client_id
    bobs = (await auth.obtain_handles(asked, "bob"))["access_token"]
    unredeemed_code = await silently(auth, browser)
    auth.simulator.end_sessions_of("bob")
    answer = await auth.sign_on(asked, await auth.authorize(asked))
    second_consent = await auth.back(asked, answer)
    assert ASKS_AGAIN in second_consent.text
    await sign_in(auth, browser)
    silent_answer = await browser.get((await auth.authorize(browser)).headers["location"])
    return Access(
        auth=auth,
        run=run,
        browser=browser,
        handles=handles,
        spent=spent,
        redeemed_code=redeemed_code,
        unredeemed_code=unredeemed_code,
        second_consent=second_consent,
        asked=asked,
        silent_answer=silent_answer,
        # In the order of the sign-ins; another app's, bob's and the account page's are not hers.
        families=[at_pingone[index]["refresh_token"] for index in (0, 3, 4)],
        bobs=bobs,
        others=others,
    )


async def silently(auth: AuthUnderTest, browser: httpx.AsyncClient) -> str:
    """Sign in without any page, and return the code."""
    to_pingone = await auth.authorize(browser)
    from_pingone = await browser.get(to_pingone.headers["location"])
    return code_at_client(await auth.back(browser, from_pingone))


async def client_gives_it_back(access: Access) -> None:
    form = {"client_id": access.auth.client_id, "token": access.handles["refresh_token"]}
    assert (await access.auth.anyone.post("/revoke", data=form)).status_code == 200


async def person_disconnects(access: Access) -> None:
    page = await look(access.browser)
    names = [form.fields["client_id"] for form in page.forms if form.action == DISCONNECT]
    await press(access.browser, page, DISCONNECT, names.index(access.auth.client_id))


async def person_disconnects_all(access: Access) -> None:
    await press(access.browser, await look(access.browser), DISCONNECT_ALL)


async def operator_ends_the_grant(access: Access) -> None:
    grant = await access.grant()
    said = await access.run.text("grants", "revoke", grant["id"], "--reason", "lost", "--yes")
    assert "1 grant ended" in said


async def operator_ends_the_person(access: Access) -> None:
    subject = (await access.grant())["subject"]
    await access.run.text("grants", "revoke", "--subject", subject, "--yes")


async def operator_ends_the_client(access: Access) -> None:
    await access.run.text("grants", "revoke", "--client", access.auth.client_id, "--yes")


async def operator_ends_the_person_at_the_client(access: Access) -> None:
    subject, client_id = (await access.grant())["subject"], access.auth.client_id
    await access.run.text("grants", "revoke", "--subject", subject, "--client", client_id, "--yes")


async def operator_disables_the_client(access: Access) -> None:
    await access.run.text("clients", "disable", access.auth.client_id, "--yes")
    await access.run.text("clients", "enable", access.auth.client_id)


async def code_comes_back(access: Access) -> None:
    assert refusal(await access.auth.exchange(access.redeemed_code)) == "invalid_grant"


async def spent_handle_comes_back(access: Access) -> None:
    assert refusal(await access.auth.refresh(access.spent["refresh_token"])) == "invalid_grant"


async def pingone_calls_its_tokens_dead(access: Access) -> None:
    # What an introspection does that PingOne answers with invalid_grant.
    grant_id = (await access.grant())["id"]
    await access.auth.resources.revoke_grant(grant_id, RevocationReason.UPSTREAM_DEAD)


async def pingone_is_not_to_be_believed(access: Access) -> None:
    grant_id = (await access.grant())["id"]
    await access.auth.resources.revoke_grant(grant_id, RevocationReason.UPSTREAM_REJECTED)


Way = Callable[[Access], Awaitable[None]]
OF_ONE_PERSON: list[Way] = [
    client_gives_it_back,
    person_disconnects,
    operator_ends_the_grant,
    operator_ends_the_person_at_the_client,
    code_comes_back,
    spent_handle_comes_back,
    pingone_calls_its_tokens_dead,
    pingone_is_not_to_be_believed,
]
WIDER: list[Way] = [
    person_disconnects_all,
    operator_ends_the_person,
    operator_ends_the_client,
    operator_disables_the_client,
]
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
    problem_page(await auth.decide(access.asked, access.second_consent))
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
    problem_page(await auth.decide(access.asked, access.second_consent))
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
    problem_page(await auth.decide(access.asked, access.second_consent))
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
