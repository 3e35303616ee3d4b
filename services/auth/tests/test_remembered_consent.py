"""A consent is remembered for one browser, person, client, redirect URI and resource."""

from collections.abc import Sequence
from typing import Any

import httpx
import httpx2
import pytest
from auth_answers import code_at_client, count_rows, error_at_client, host_of, problem_page
from auth_harness import REDIRECT_URI, AuthUnderTest, redirect_query

from auth_server.storage.tables import consents, grants

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PINGONE = "localhost:9080"
BOTH = "todo_api:read todo_api:write"


async def connected(auth: AuthUnderTest, scope: str | None = BOTH) -> httpx.AsyncClient:
    """A browser in which alice has connected the client before."""
    browser = auth.new_browser()
    await auth.obtain_handles(browser, scope=scope)
    return browser


def assert_asks(response: httpx.Response) -> None:
    assert response.status_code == 200, response.headers.get("location")
    assert "Allow this app to act for you?" in response.text


async def test_the_same_request_of_the_same_browser_reconnects_without_any_page(
    auth: AuthUnderTest,
) -> None:
    browser = await connected(auth)
    to_pingone = await auth.authorize(browser)
    assert host_of(to_pingone) == PINGONE
    # alice's session at PingOne goes on: neither side shows a page.
    from_pingone = await browser.get(to_pingone.headers["location"])
    code = code_at_client(await auth.back(browser, from_pingone))
    handles = (await auth.exchange(code)).json()
    assert await auth.is_active(handles["access_token"])
    assert await count_rows(auth, grants) == 2


@ON_SQLITE
@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("todo_api:read", "todo_api:read"),
        ("todo_api:read todo_api:write", "todo_api:read"),
        ("todo_api:read todo_api:write", "todo_api:write todo_api:read"),
        (None, "todo_api:read todo_api:write"),
    ],
)
async def test_no_more_scopes_than_before_are_not_asked_about(
    auth: AuthUnderTest, before: str | None, now: str
) -> None:
    browser = await connected(auth, scope=before)
    assert host_of(await auth.authorize(browser, scope=now)) == PINGONE


@ON_SQLITE
async def test_a_narrower_reconnection_gets_only_what_it_asks_for(auth: AuthUnderTest) -> None:
    browser = await connected(auth)
    handles = await auth.obtain_handles(browser, scope="todo_api:read")
    assert handles["scope"] == "todo_api:read"


@pytest.mark.parametrize(
    "scope",
    ["todo_api:write", "todo_api:read todo_api:write", "todo_api:read offline_access", None],
)
async def test_more_scopes_than_before_are_asked_about(
    auth: AuthUnderTest, scope: str | None
) -> None:
    browser = await connected(auth, scope="todo_api:read")
    assert_asks(await auth.authorize(browser, scope=scope))


async def test_consents_to_different_scopes_add_up(auth: AuthUnderTest) -> None:
    browser = await connected(auth, scope="todo_api:read")
    await auth.obtain_code(browser, scope="todo_api:write")
    assert host_of(await auth.authorize(browser)) == PINGONE


@ON_SQLITE
async def test_another_browser_is_asked(auth: AuthUnderTest) -> None:
    await connected(auth)
    assert_asks(await auth.authorize(auth.new_browser()))


@ON_SQLITE
async def test_another_client_of_the_same_name_and_address_is_asked_about(
    auth: AuthUnderTest,
) -> None:
    browser = await connected(auth)
    impostor = (await auth.register())["client_id"]
    assert_asks(await auth.authorize(browser, client_id=impostor))


@ON_SQLITE
@pytest.mark.parametrize(
    "redirect_uri",
    ["http://127.0.0.1:33419/callback", "http://127.0.0.1/callback", "https://client.example/cb"],
)
async def test_another_address_is_asked_about_even_if_only_the_port_differs(
    auth: AuthUnderTest, redirect_uri: str
) -> None:
    uris: Sequence[str] = [REDIRECT_URI, "https://client.example/cb"]
    auth.client_id = (await auth.register(redirect_uris=uris))["client_id"]
    browser = await connected(auth)
    assert_asks(await auth.authorize(browser, redirect_uri=redirect_uri))


@pytest.mark.standard("OIDC Core 3.1.2.1 prompt")
@ON_SQLITE
@pytest.mark.parametrize("prompt", ["consent", "login consent", "consent select_account"])
async def test_prompt_consent_always_asks(auth: AuthUnderTest, prompt: str) -> None:
    browser = await connected(auth)
    assert_asks(await auth.authorize(browser, prompt=prompt))


@pytest.mark.standard("OIDC Core 3.1.2.1 prompt")
@ON_SQLITE
@pytest.mark.parametrize("prompt", ["login", "select_account", "login select_account"])
async def test_prompt_login_signs_on_anew_at_pingone(auth: AuthUnderTest, prompt: str) -> None:
    browser = await connected(auth)
    to_pingone = await auth.authorize(browser, prompt=prompt)
    assert redirect_query(to_pingone)["prompt"] == "login"
    sign_on_page = await browser.get(to_pingone.headers["location"])
    assert sign_on_page.status_code == 200


@pytest.mark.parametrize(("days", "asks"), [(29, False), (30, True)])
async def test_a_consent_is_forgotten_after_thirty_days(
    auth: AuthUnderTest, days: int, asks: bool
) -> None:
    browser = await connected(auth)
    auth.clock.advance(days=days)
    response = await auth.authorize(browser)
    assert (response.status_code == 200) is asks


@ON_SQLITE
async def test_a_consent_that_ran_out_at_pingone_is_asked_for_when_the_browser_comes_back(
    auth: AuthUnderTest,
) -> None:
    browser = await connected(auth)
    auth.clock.advance(days=29, hours=23, minutes=55)
    to_pingone = await auth.authorize(browser)
    assert host_of(to_pingone) == PINGONE
    auth.clock.advance(minutes=5)
    response = await auth.back(browser, await auth.sign_on(browser, to_pingone))
    assert response.status_code == 200
    code_at_client(await auth.decide(browser, response))


@ON_SQLITE
async def test_a_decision_that_was_never_finished_is_not_remembered(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    await auth.decide(browser, await auth.authorize(browser))
    assert await count_rows(auth, consents) == 0
    assert_asks(await auth.authorize(browser))


async def test_a_denial_takes_back_nothing_that_was_allowed_before(auth: AuthUnderTest) -> None:
    browser = await connected(auth)
    page = await auth.authorize(browser, prompt="consent")
    assert error_at_client(await auth.decide(browser, page, "deny")) == "access_denied"
    assert host_of(await auth.authorize(browser)) == PINGONE


@ON_SQLITE
async def test_a_silent_reconnection_still_needs_the_browser_at_the_callback(
    auth: AuthUnderTest,
) -> None:
    browser, other = await connected(auth), auth.new_browser()
    answer = await auth.sign_on(browser, await auth.authorize(browser))
    problem_page(await auth.back(other, answer))
    code_at_client(await auth.back(browser, answer))


@pytest.mark.standard("OIDC Core 3.1.2.1 prompt")
async def test_prompt_none_with_a_remembered_consent_and_a_session_needs_no_page(
    auth: AuthUnderTest,
) -> None:
    browser = await connected(auth)
    to_pingone = await auth.authorize(browser, prompt="none")
    assert redirect_query(to_pingone)["prompt"] == "none"
    from_pingone = await browser.get(to_pingone.headers["location"])
    code_at_client(await auth.back(browser, from_pingone))


@pytest.mark.standard("RFC 6749 8.5")
@ON_SQLITE
async def test_prompt_none_without_a_session_at_pingone_is_login_required(
    auth: AuthUnderTest,
) -> None:
    browser = await connected(auth)
    auth.simulator.end_sessions_of("alice")
    to_pingone = await auth.authorize(browser, prompt="none")
    from_pingone = await browser.get(to_pingone.headers["location"])
    assert error_at_client(await auth.back(browser, from_pingone)) == "login_required"


@ON_SQLITE
@pytest.mark.parametrize("changes", [{}, {"scope": "todo_api:write"}])
async def test_prompt_none_without_a_consent_that_covers_it_is_login_required(
    auth: AuthUnderTest, changes: dict[str, Any]
) -> None:
    browser = await connected(auth, scope="todo_api:read") if changes else auth.new_browser()
    response = await auth.authorize(browser, prompt="none", **changes)
    assert error_at_client(response) == "login_required"


@ON_SQLITE
async def test_without_pingone_a_reconnection_may_be_tried_again_later(
    auth: AuthUnderTest,
) -> None:
    browser = await connected(auth)
    auth.clock.advance(hours=2)
    # A replica that was started during the outage knows no endpoints.
    auth.resources.pingone._discovery._metadata = None
    auth.resources.pingone._discovery._fetched_at = float("-inf")
    auth.pingone.fail_with = lambda _request: httpx2.Response(503)
    assert error_at_client(await auth.authorize(browser)) == "temporarily_unavailable"
