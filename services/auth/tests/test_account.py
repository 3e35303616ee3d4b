"""The account page: a person sees what they connected, and disconnects it, for good and at once."""

import json
from typing import Any

import httpx
import pytest
from account_steps import DISCONNECT, DISCONNECT_ALL, look, press, sign_in
from auth_answers import PAGE_HEADERS, count_rows, host_of
from auth_back_channel import keep_token_answers, refusal, replica_of
from auth_commands import Commands
from auth_harness import REDIRECT_URI, AuthUnderTest, auth_under_test
from revocation_streams import stream_of

from auth_server.flows import list_connected_apps
from auth_server.storage.tables import consents, grants, upstream_revocations, upstream_tokens

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HOSTILE = "\u202eelgooG\u2066 <b onclick=x>\u200b" + "W" * 5000


@pytest.fixture
def run(auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(auth, monkeypatch)


async def connect(
    auth: AuthUnderTest, browser: httpx.AsyncClient, name: str, **changes: str
) -> dict[str, Any]:
    """Connect a new client of this name, a minute after the one before; return its handles.

    It stays the client of the harness.
    """
    auth.clock.advance(minutes=1)
    redirect_uri = changes.get("redirect_uri", REDIRECT_URI)
    registered = await auth.register(client_name=name, redirect_uris=[redirect_uri])
    auth.client_id = registered["client_id"]
    code = await auth.obtain_code(browser, **changes)
    handles: dict[str, Any] = (await auth.exchange(code, redirect_uri=redirect_uri)).json()
    return handles


async def test_the_page_lists_what_the_person_connected_the_newest_first(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    handles = await connect(auth, browser, "First")
    first = auth.client_id
    auth.clock.advance(minutes=20)
    address = "https://second.example/callback"
    await connect(auth, browser, "Second", scope="todo_api:read", redirect_uri=address)
    auth.clock.advance(minutes=20)
    await auth.refresh(handles["refresh_token"], client_id=first)
    page = await look(await sign_in(auth, browser))
    assert page.apps == ["Second", "First"]
    second = page.text[page.text.index("Second") : page.text.index("First")]
    assert "Not verified It says it belongs to second.example. See your to-do list" in second
    assert "Add, change and delete to-dos" not in second
    assert "Last used 2 November 2026, 09:52 UTC" in second
    assert "First Not verified A registered app, on a computer or device." in page.text
    assert "Add, change and delete to-dos" in page.text
    assert "Connected 2 November 2026, 09:31 UTC Last used 2 November 2026, 10:12" in page.text
    assert "http://localhost:8081/mcp" in page.text


async def test_disconnecting_ends_the_grant_here_at_once_and_at_pingone(
    auth: AuthUnderTest,
) -> None:
    at_pingone = keep_token_answers(auth)
    browser = auth.new_browser()
    kept, ended = [await connect(auth, browser, name) for name in ("Kept", "Ended")]
    await sign_in(auth, browser)
    response = await press(browser, await look(browser), DISCONNECT)
    assert response.status_code == 303
    assert response.headers["location"] == "/account?notice=disconnected"
    page = await look(browser, "/account?notice=disconnected")
    assert "Disconnected: its access has ended." in page.text
    assert page.apps == ["Kept"]
    assert not await auth.is_active(ended["access_token"])
    assert refusal(await auth.refresh(ended["refresh_token"])) == "invalid_grant"
    assert await auth.is_active(kept["access_token"])
    await auth.settle()
    assert auth.simulator.is_family_live(at_pingone[0]["refresh_token"])
    assert not auth.simulator.is_family_live(at_pingone[1]["refresh_token"])
    assert await count_rows(auth, upstream_revocations) == 0
    assert await count_rows(auth, upstream_tokens) == 1


async def test_what_a_person_disconnects_is_told_to_mcp(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    handles = await auth.obtain_handles(browser)
    grant_id = (await auth.introspect(handles["access_token"])).json()["grant_id"]
    page = await look(await sign_in(auth, browser))
    async with stream_of(auth) as reader:
        await press(browser, page, DISCONNECT)
        assert await reader.next_event() == grant_id


async def test_a_disconnection_is_recorded_once_as_the_persons_own(
    auth: AuthUnderTest, run: Commands
) -> None:
    browser = auth.new_browser()
    await auth.obtain_handles(browser)
    [grant] = await run.json("grants", "list")
    page = await look(await sign_in(auth, browser))
    for _ in range(2):  # the second click comes too late
        response = await press(browser, page, DISCONNECT)
        assert response.headers["location"] == "/account?notice=disconnected"
    [ended] = [e for e in await run.json("audit", "export") if e["event"] == "grant_ended"]
    assert (ended["actor"], ended["reason"]) == ("person", "revoked_by_user")
    assert (ended["address"], ended["subject"]) == ("127.0.0.1", grant["subject"])
    assert (ended["grant_id"], ended["client_id"]) == (grant["id"], auth.client_id)


async def test_a_disconnected_app_has_to_ask_again_and_the_others_need_not(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    await connect(auth, browser, "Kept")
    kept = auth.client_id
    await connect(auth, browser, "Ended")
    await sign_in(auth, browser)
    assert host_of(await auth.authorize(browser)) == "localhost:9080"
    await press(browser, await look(browser), DISCONNECT)
    assert "Allow this app to act for you?" in (await auth.authorize(browser)).text
    assert host_of(await auth.authorize(browser, client_id=kept)) == "localhost:9080"


async def test_a_login_that_was_under_way_without_a_page_gets_one_after_all(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    await auth.obtain_handles(browser)
    page = await look(await sign_in(auth, browser))
    to_pingone = await auth.authorize(browser)
    answer = await browser.get(to_pingone.headers["location"])
    await press(browser, page, DISCONNECT)
    response = await auth.back(browser, answer)
    assert "Use this account with the app?" in response.text


async def test_everything_can_be_disconnected_at_once(auth: AuthUnderTest) -> None:
    browser, bobs = auth.new_browser(), auth.new_browser()
    handles = [await connect(auth, browser, name) for name in ("One", "Two", "Three")]
    other = await auth.obtain_handles(bobs, "bob")
    page = await look(await sign_in(auth, browser))
    response = await press(browser, page, DISCONNECT_ALL)
    page = await look(browser, response.headers["location"])
    assert "All apps are disconnected" in page.text
    assert "No app is connected." in page.text
    assert page.apps == []
    assert not any([await auth.is_active(one["access_token"]) for one in handles])
    assert await auth.is_active(other["access_token"])
    assert (await look(await sign_in(auth, bobs, "bob"))).apps == ["Three"]
    # Of bob's browser both scopes, and nothing of alice's.
    assert await count_rows(auth, consents) == 2


@pytest.mark.parametrize("which", ["foreign", "unknown", "none", "long"])
async def test_an_app_that_is_not_the_persons_stays_and_nobody_learns_of_it(
    auth: AuthUnderTest, which: str
) -> None:
    browser = auth.new_browser()
    await auth.obtain_handles(browser)
    auth.client_id = bobs_client = (await auth.register())["client_id"]
    bobs = await auth.obtain_handles(username="bob")
    fields = (await look(await sign_in(auth, browser))).form(DISCONNECT).fields
    client_id = {"foreign": bobs_client, "unknown": "0", "none": "", "long": "x" * 60_000}[which]
    response = await browser.post(DISCONNECT, data=fields | {"client_id": client_id})
    assert response.headers["location"] == "/account?notice=disconnected"
    assert await auth.is_active(bobs["access_token"])
    assert len((await look(browser)).apps) == 1
    assert await count_rows(auth, consents) == 4


async def test_nobody_sees_what_somebody_else_connected(auth: AuthUnderTest) -> None:
    await connect(auth, auth.new_browser(), "Alice's app")
    page = await look(await sign_in(auth, auth.new_browser(), "bob"))
    assert "Bob Baker" in page.text
    assert "Alice" not in page.text


@ON_SQLITE
async def test_a_session_counts_on_every_replica(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    handles = await auth.obtain_handles(browser)
    await sign_in(auth, browser)
    async with replica_of(auth) as other:
        there = other.new_browser()
        there.cookies = browser.cookies
        await press(there, await look(there), DISCONNECT)
    assert not await auth.is_active(handles["access_token"])


@pytest.mark.standard("RFC 7591 5 impersonation")
@ON_SQLITE
async def test_a_hostile_name_neither_runs_nor_floods_nor_turns_the_page(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    await connect(auth, browser, HOSTILE[:200])
    await sign_in(auth, browser)
    html = (await browser.get("/account")).text
    assert "<b onclick" not in html
    assert not set("\u202e\u2066\u200b") & set(html)
    [name] = (await look(browser)).apps
    assert name.startswith("elgooG <b onclick=x>WWW")
    assert len(name) == 80


@ON_SQLITE
async def test_a_deleted_or_nameless_app_is_shown_by_its_shortened_identifier(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    await connect(auth, browser, "")
    nameless = auth.client_id
    await connect(auth, browser, "Gone")
    async with auth.resources.database.transaction() as tx:
        # By hand: the command ends its grants as well.
        await tx.clients.delete(auth.client_id)
    page = await look(await sign_in(auth, browser))
    assert page.apps == [auth.client_id[:15] + "…", nameless[:15] + "…"]
    assert "Deleted This app is not known here any more" in page.text
    assert "No name A registered app" in page.text
    await press(browser, page, DISCONNECT)
    assert len((await look(browser)).apps) == 1


@ON_SQLITE
async def test_a_configured_client_has_its_name_on_the_operators_word(database_url: str) -> None:
    portal = {"client_id": "portal", "client_name": "Portal", "redirect_uris": [REDIRECT_URI]}
    async with auth_under_test(database_url, auth_clients=json.dumps([portal])) as auth:
        auth.client_id = "portal"
        browser = auth.new_browser()
        await auth.obtain_handles(browser)
        page = await look(await sign_in(auth, browser))
    assert "Portal Set up by those who run this service." in page.text
    assert "Not verified" not in page.text


@ON_SQLITE
async def test_a_list_that_is_cut_says_so(
    auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_connected_apps, "MOST_LISTED", 2)
    browser = auth.new_browser()
    for name in ("One", "Two", "Three"):
        await connect(auth, browser, name)
    page = await look(await sign_in(auth, browser))
    assert page.apps == ["Three", "Two"]
    assert "These are the newest." in page.text
    await press(browser, page, DISCONNECT)
    page = await look(browser)
    assert page.apps == ["Two", "One"]
    assert "These are the newest." not in page.text
    await press(browser, page, DISCONNECT_ALL)
    assert await count_rows(auth, grants) == 3
    assert (await look(browser)).apps == []


@ON_SQLITE
async def test_the_pages_forms_lead_to_this_site_only_and_its_window_is_its_own(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    policy = PAGE_HEADERS["content-security-policy"]
    for expected in (policy, f"{policy}; form-action 'self'"):
        if expected != policy:
            await sign_in(auth, browser)
        headers = (await browser.get("/account")).headers
        # Not on the first, which leads to PingOne: Chromium applies it to the redirect, too.
        assert headers["content-security-policy"] == expected
        assert headers["cross-origin-opener-policy"] == "same-origin"
        rest = PAGE_HEADERS | {"content-security-policy": expected}
        assert {name: headers.get(name) for name in rest} == rest
    consent = await auth.authorize(browser)
    assert "cross-origin-opener-policy" not in consent.headers
