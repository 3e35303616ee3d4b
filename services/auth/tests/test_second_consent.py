"""Another person comes back from PingOne than the one whose consent is remembered."""

from urllib.parse import parse_qs

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
from auth_harness import AuthUnderTest, PassOn, form_of
from sqlalchemy import select

from auth_server.domain.handles import digest
from auth_server.storage.tables import authorizations, grants
from pingone_simulator.people import PEOPLE

ALICE, BOB = PEOPLE
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def come_back_as_bob(auth: AuthUnderTest, browser: httpx.AsyncClient) -> httpx.Response:
    """Reconnect where alice connected before, but sign on as bob."""
    await auth.obtain_code(browser)
    auth.simulator.end_sessions_of("alice")
    answer = await auth.sign_on(browser, await auth.authorize(browser), "bob")
    return await auth.back(browser, answer)


async def subject_of(auth: AuthUnderTest, code: str) -> str:
    handles = (await auth.exchange(code)).json()
    subject: str = (await auth.introspect(handles["access_token"])).json()["sub"]
    return subject


def tokens_revoked_at_pingone(auth: AuthUnderTest) -> list[str]:
    requests = [r for r in auth.pingone.requests if r.url.path.endswith("/revoke")]
    return [parse_qs(request.content.decode())["token"][0] for request in requests]


async def test_the_second_page_names_the_account_and_what_it_would_be_used_for(
    auth: AuthUnderTest,
) -> None:
    page = await come_back_as_bob(auth, auth.new_browser())
    assert page.status_code == 200
    assert {name: page.headers.get(name) for name in PAGE_HEADERS} == PAGE_HEADERS
    for words in ("Use this account with the app?", "Bob Baker", "A test client", "todo_api:write"):
        assert words in page.text
    assert "Alice" not in page.text
    assert await count_rows(auth, grants) == 1  # alice's


async def test_allowing_connects_the_account_that_was_named(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    page = await come_back_as_bob(auth, browser)
    allowed = await auth.decide(browser, page)
    assert await subject_of(auth, code_at_client(allowed)) == BOB.sub
    # From now on either of the two reconnects in this browser without a page.
    for person in (BOB, ALICE):
        to_pingone = await auth.authorize(browser, prompt="login")
        answer = await auth.sign_on(browser, to_pingone, person.username)
        code = code_at_client(await auth.back(browser, answer))
        assert await subject_of(auth, code) == person.sub


async def test_denying_revokes_the_accounts_tokens_and_tells_the_client(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    alices = await auth.obtain_handles(browser)
    page = await come_back_as_bob(auth, browser)
    revoked: list[str] = []

    async def watch(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        [token] = parse_qs(request.content.decode())["token"]
        known = auth.simulator.grants.find_refresh_token(token)
        revoked.append(known.grant.person.username if known else "nobody")
        return await pass_on(request)

    auth.pingone.intercept = watch
    for _ in range(2):  # the client must hear of it, whichever click the browser follows
        assert error_at_client(await auth.decide(browser, page, "deny")) == "access_denied"
    await auth.settle()
    assert revoked == ["bob"]
    [token] = tokens_revoked_at_pingone(auth)
    assert not auth.simulator.is_family_live(token)
    assert await auth.is_active(alices["access_token"])


async def test_while_the_page_waits_the_tokens_are_stored_encrypted(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    page = await come_back_as_bob(auth, browser)
    query = select(authorizations.c.account_tokens_encrypted).where(
        authorizations.c.state_digest == digest(form_of(page)["upstream_state"])
    )
    async with auth.resources.database.reading_connection() as connection:
        stored: bytes = (await connection.execute(query)).scalar_one()
    await auth.decide(browser, page, "deny")
    await auth.settle()
    [token] = tokens_revoked_at_pingone(auth)
    assert len(stored) > 500
    assert token.encode() not in stored
    assert b"eyJ" not in stored


@pytest.mark.parametrize("decision", ["allow", "deny"])
async def test_the_page_waits_for_ten_minutes(auth: AuthUnderTest, decision: str) -> None:
    browser = auth.new_browser()
    page = await come_back_as_bob(auth, browser)
    auth.clock.advance(minutes=10)
    late = await auth.decide(browser, page, decision)
    assert error_at_client(late) == "access_denied"
    assert await count_rows(auth, grants) == 1
    await auth.settle()
    [token] = tokens_revoked_at_pingone(auth)
    assert not auth.simulator.is_family_live(token)


async def test_a_second_click_decides_nothing_and_is_told_what_the_first_one_decided(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    page = await come_back_as_bob(auth, browser)
    code = code_at_client(await auth.decide(browser, page))
    assert code_at_client(await auth.decide(browser, page)) == code
    assert "The app is connected" in outcome_page(await auth.decide(browser, page, "deny"))
    await auth.settle()
    assert tokens_revoked_at_pingone(auth) == []
    assert (await auth.exchange(code)).status_code == 200


@ON_SQLITE
async def test_another_browser_decides_nothing(auth: AuthUnderTest) -> None:
    browser, other = auth.new_browser(), auth.new_browser()
    page = await come_back_as_bob(auth, browser)
    await auth.authorize(other)
    for decision in ("allow", "deny"):
        problem_page(await auth.decide(other, page, decision))
    code_at_client(await auth.decide(browser, page))


@ON_SQLITE
async def test_a_reload_of_the_callback_shows_the_page_again(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    page = await come_back_as_bob(auth, browser)
    again = await browser.get(str(page.url))
    assert "Bob Baker" in again.text
    code = code_at_client(await auth.decide(browser, again))
    # After the decision a reload gets what it led to.
    assert code_at_client(await browser.get(str(page.url))) == code


@ON_SQLITE
async def test_after_a_denial_the_next_attempt_asks_again(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    await auth.decide(browser, await come_back_as_bob(auth, browser), "deny")
    answer = await auth.sign_on(browser, await auth.authorize(browser))
    again = await auth.back(browser, answer)
    assert "Bob Baker" in again.text


async def test_prompt_none_forbids_the_second_page_as_well(auth: AuthUnderTest) -> None:
    # OpenID Connect Core 3.1.2.1: with prompt=none no page of ours may be shown.
    browser = auth.new_browser()
    await auth.decide(browser, await come_back_as_bob(auth, browser), "deny")
    to_pingone = await auth.authorize(browser, prompt="none")
    from_pingone = await browser.get(to_pingone.headers["location"])
    response = await auth.back(browser, from_pingone)
    assert error_at_client(response) in {
        "login_required",
        "consent_required",
        "interaction_required",
        "account_selection_required",
    }
    await auth.settle()
    tokens = tokens_revoked_at_pingone(auth)
    assert len(tokens) == 2
    assert not any(auth.simulator.is_family_live(token) for token in tokens)


async def test_whoever_was_just_asked_may_sign_on_with_any_account(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    await auth.obtain_code(browser)
    auth.simulator.end_sessions_of("alice")
    to_pingone = await auth.decide(browser, await auth.authorize(browser, prompt="consent"))
    answer = await auth.sign_on(browser, to_pingone, "bob")
    code = code_at_client(await auth.back(browser, answer))
    assert await subject_of(auth, code) == BOB.sub
