"""`GET /authorize`: what is asked about, and what comes back to the client with every answer."""

import json
from typing import Any

import pytest
from auth_answers import answer_at_client, error_at_client
from auth_harness import REDIRECT_URI, RESOURCE, AuthUnderTest, auth_under_test

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_ONE_SERVER = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.standard("RFC 6749 3.1 unknown parameters", "RFC 8707 2 repeated")
@ON_ONE_SERVER
@pytest.mark.parametrize(
    "changes",
    [
        {"scope": None},
        {"scope": ""},
        {"scope": "offline_access"},
        {"scope": "todo_api:read offline_access"},
        {"scope": "todo_api:read todo_api:read"},
        {"resource": None},
        {"resource": [RESOURCE, RESOURCE]},
        {"resource": f"{RESOURCE}/"},
        {"resource": "HTTP://LOCALHOST:8081/mcp"},
        {"response_mode": "query"},
        {"prompt": "login"},
        {"prompt": "consent"},
        {"prompt": "select_account consent"},
        {"prompt": ""},
        {"state": None},
        {"nonce": "an-oidc-client-sends-one", "ui_locales": "de", "claims": "{}"},
    ],
)
async def test_a_right_request_is_asked_about(
    shared: AuthUnderTest, changes: dict[str, Any]
) -> None:
    response = await shared.authorize(shared.new_browser(), **changes)
    assert response.status_code == 200
    assert "Allow this app to act for you?" in response.text


@pytest.mark.standard("RFC 6749 3.1 empty parameters")
@ON_ONE_SERVER
async def test_a_parameter_without_a_value_counts_as_left_out(shared: AuthUnderTest) -> None:
    # RFC 6749 3.1.
    browser = shared.new_browser()
    response = await shared.authorize(
        browser, resource="", response_mode="", request="", request_uri="", state=""
    )
    assert response.status_code == 200, response.headers.get("location")
    denied = await shared.decide(browser, response, "deny")
    assert error_at_client(denied, state=None) == "access_denied"


@pytest.mark.standard("RFC 6749 3.3 default")
@ON_SQLITE
async def test_a_client_that_names_no_scope_is_shown_with_all_of_them(auth: AuthUnderTest) -> None:
    page = (await auth.authorize(auth.new_browser(), scope=None)).text
    assert "todo_api:read" in page
    assert "todo_api:write" in page


@pytest.mark.standard("RFC 6749 3.3 granted", "RFC 9700 2.3")
@ON_SQLITE
async def test_only_the_scopes_that_were_asked_for_are_shown_and_granted(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    page = (await auth.authorize(browser, scope="todo_api:read")).text
    assert "todo_api:read" in page
    assert "todo_api:write" not in page
    handles = await auth.obtain_handles(browser, scope="todo_api:read")
    assert handles["scope"] == "todo_api:read"


@pytest.mark.standard("RFC 8707 2 default", "RFC 8707 2.1")
@ON_SQLITE
async def test_without_resource_the_handles_are_for_the_only_one(auth: AuthUnderTest) -> None:
    handles = await auth.obtain_handles(resource=None)
    assert (await auth.introspect(handles["access_token"])).json()["aud"] == RESOURCE


@pytest.mark.standard(
    "RFC 6749 4.1.2 state",
    "RFC 8252 8.9",
    "RFC 9207 2 success",
    "RFC 9700 2.1 mix-up",
    "OAuth 2.1 2.3.4",
    "MCP 2026-07-28 authorization: iss",
)
@ON_ONE_SERVER
@pytest.mark.parametrize("state", ["a b&c=d#e?f%20+/ü€😀", "s" * 8192, "eyJ.e30.="])
async def test_the_state_comes_back_as_it_was_sent(shared: AuthUnderTest, state: str) -> None:
    browser = shared.new_browser()
    refused = await shared.authorize(browser, state=state, response_type="token")
    assert error_at_client(refused, state=state) == "unsupported_response_type"
    to_pingone = await shared.decide(browser, await shared.authorize(browser, state=state))
    assert state not in to_pingone.headers["location"]
    answer = answer_at_client(await shared.back(browser, await shared.sign_on(browser, to_pingone)))
    assert answer["state"] == state
    assert answer["code"]


@pytest.mark.standard("RFC 6749 4.1.2 state")
@ON_ONE_SERVER
async def test_an_error_without_state_sends_none_back(shared: AuthUnderTest) -> None:
    response = await shared.authorize(shared.new_browser(), state=None, response_type="token")
    assert error_at_client(response, state=None) == "unsupported_response_type"


@pytest.mark.standard("RFC 6749 3.1 repeated parameters")
@ON_ONE_SERVER
async def test_a_repeated_state_is_refused(shared: AuthUnderTest) -> None:
    response = await shared.authorize(shared.new_browser(), state=["one", "two"])
    assert error_at_client(response, state=None) == "invalid_request"


@ON_ONE_SERVER
async def test_an_error_never_repeats_what_the_request_said(shared: AuthUnderTest) -> None:
    for changes in ({"scope": "leak-me"}, {"resource": "leak-me"}, {"response_type": "leak-me"}):
        response = await shared.authorize(shared.new_browser(), **changes)
        assert "leak-me" not in response.headers["location"]


@pytest.mark.standard("RFC 8252 7.3", "OAuth 2.1 8.4.2")
@ON_SQLITE
@pytest.mark.parametrize("port", [":1", ":65535", ""])
async def test_a_loopback_redirect_may_use_any_port(auth: AuthUnderTest, port: str) -> None:
    redirect_uri = f"http://127.0.0.1{port}/callback"
    browser = auth.new_browser()
    consent = await auth.authorize(browser, redirect_uri=redirect_uri)
    back = await auth.sign_on(browser, await auth.decide(browser, consent))
    answer = answer_at_client(await auth.back(browser, back), redirect_uri=redirect_uri)
    # Whoever redeems the code must have received it: the exact port is bound to it.
    assert (await auth.exchange(answer["code"], redirect_uri=REDIRECT_URI)).status_code == 400


@pytest.mark.standard("RFC 6749 3.1.2 query", "RFC 8252 7.1")
@ON_SQLITE
@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://client.example/callback?tenant=7&x=%2F",
        "cursor://anysphere.cursor-retrieval/oauth/callback",
        "http://[::1]:4711/callback",
        "http://localhost/callback",
    ],
)
async def test_an_answer_is_added_to_the_registered_address(
    auth: AuthUnderTest, redirect_uri: str
) -> None:
    auth.client_id = (await auth.register(redirect_uris=[redirect_uri]))["client_id"]
    browser = auth.new_browser()
    consent = await auth.authorize(browser, redirect_uri=redirect_uri)
    denied = await auth.decide(browser, consent, "deny")
    assert error_at_client(denied, redirect_uri=redirect_uri) == "access_denied"
    code = await auth.obtain_code(browser, redirect_uri=redirect_uri)
    assert (await auth.exchange(code, redirect_uri=redirect_uri)).status_code == 200


@pytest.mark.standard("RFC 6749 3.1.2.3")
@ON_SQLITE
async def test_the_only_registered_address_need_not_be_named(auth: AuthUnderTest) -> None:
    response = await auth.authorize(auth.new_browser(), redirect_uri=None, scope="nonsense")
    assert error_at_client(response) == "invalid_scope"


@ON_SQLITE
async def test_a_configured_client_needs_no_registration_and_never_expires(
    database_url: str,
) -> None:
    redirect_uri = "https://portal.acme.com/callback"
    portal = {"client_id": "portal", "client_name": "Portal", "redirect_uris": [redirect_uri]}
    async with auth_under_test(database_url, auth_clients=json.dumps([portal])) as auth:
        auth.clock.advance(days=1000)
        auth.client_id = "portal"
        consent = await auth.authorize(auth.new_browser(), redirect_uri=redirect_uri)
        assert "Portal" in consent.text
        code = await auth.obtain_code(redirect_uri=redirect_uri)
        assert (await auth.exchange(code, redirect_uri=redirect_uri)).status_code == 200
