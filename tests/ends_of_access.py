"""Everything that one person's app can have or be about to have, and the ways in which it ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from account_steps import DISCONNECT, DISCONNECT_ALL, look, press, sign_in
from auth_answers import code_at_client
from auth_back_channel import keep_token_answers, refusal
from auth_commands import Commands
from auth_harness import AuthUnderTest

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


async def all_kinds_of_access(auth: AuthUnderTest, run: Commands) -> Access:
    """Have alice sign in to an app in every way, and stop in the middle of some."""
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
    unredeemed_code = await _silently(auth, browser)
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


async def _silently(auth: AuthUnderTest, browser: httpx.AsyncClient) -> str:
    """Sign in without any page, and return the code."""
    to_pingone = await auth.authorize(browser)
    from_pingone = await browser.get(to_pingone.headers["location"])
    return code_at_client(await auth.back(browser, from_pingone))


async def client_gives_it_back(access: Access) -> None:
    """RFC 7009."""
    form = {"client_id": access.auth.client_id, "token": access.handles["refresh_token"]}
    assert (await access.auth.anyone.post("/revoke", data=form)).status_code == 200


async def person_disconnects(access: Access) -> None:
    """On the account page."""
    page = await look(access.browser)
    names = [form.fields["client_id"] for form in page.forms if form.action == DISCONNECT]
    await press(access.browser, page, DISCONNECT, names.index(access.auth.client_id))


async def person_disconnects_all(access: Access) -> None:
    """On the account page."""
    await press(access.browser, await look(access.browser), DISCONNECT_ALL)


async def operator_ends_the_grant(access: Access) -> None:
    """By its id."""
    grant = await access.grant()
    said = await access.run.text("grants", "revoke", grant["id"], "--reason", "lost", "--yes")
    assert "1 grant ended" in said


async def operator_ends_the_person(access: Access) -> None:
    """All their grants."""
    subject = (await access.grant())["subject"]
    await access.run.text("grants", "revoke", "--subject", subject, "--yes")


async def operator_ends_the_client(access: Access) -> None:
    """The grants of all people."""
    await access.run.text("grants", "revoke", "--client", access.auth.client_id, "--yes")


async def operator_ends_the_person_at_the_client(access: Access) -> None:
    """Both together."""
    subject, client_id = (await access.grant())["subject"], access.auth.client_id
    await access.run.text("grants", "revoke", "--subject", subject, "--client", client_id, "--yes")


async def operator_disables_the_client(access: Access) -> None:
    """And enables it again, so that one can see what is left."""
    await access.run.text("clients", "disable", access.auth.client_id, "--yes")
    await access.run.text("clients", "enable", access.auth.client_id)


async def code_comes_back(access: Access) -> None:
    """A replay."""
    assert refusal(await access.auth.exchange(access.redeemed_code)) == "invalid_grant"


async def spent_handle_comes_back(access: Access) -> None:
    """After its grace."""
    assert refusal(await access.auth.refresh(access.spent["refresh_token"])) == "invalid_grant"


async def pingone_calls_its_tokens_dead(access: Access) -> None:
    """invalid_grant."""
    # What an introspection does that PingOne answers with invalid_grant.
    grant_id = (await access.grant())["id"]
    await access.auth.resources.revoke_grant(grant_id, RevocationReason.UPSTREAM_DEAD)


async def pingone_is_not_to_be_believed(access: Access) -> None:
    """A token for another API or person."""
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
