"""A scope here, its names at PingOne: asked for exactly, and granted only if all of them were."""

from collections.abc import AsyncIterator

import httpx
import pytest
from auth_answers import code_at_client, count_rows, error_at_client
from auth_back_channel import keep_token_answers
from auth_harness import AuthUnderTest, auth_under_test, redirect_query
from two_resources import (
    AT_OTHER,
    OTHER_CLIENT,
    OTHER_RESOURCE,
    SETTINGS,
    SIMULATOR,
    handles_at_other,
)

from auth_server.storage.tables import grants

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def auth(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The authorization server with two resources."""
    async with auth_under_test(database_url, simulator=SIMULATOR, **SETTINGS) as auth:
        yield auth


async def answered_with(auth: AuthUnderTest, asked: str, granted: str) -> httpx.Response:
    """A login for which PingOne grants only these scopes; what the client is told at its end."""
    browser = auth.new_browser()
    page = await auth.authorize(browser, **(AT_OTHER | {"scope": asked}))
    to_pingone = await auth.decide(browser, page)
    url = httpx.URL(to_pingone.headers["location"])
    to_pingone.headers["location"] = str(url.copy_set_param("scope", f"openid {granted}".strip()))
    return await auth.back(browser, await auth.sign_on(browser, to_pingone))


@pytest.mark.parametrize(
    ("asked", "at_pingone"),
    [
        ("tasks:read", {"tasks.read"}),
        ("tasks:write", {"tasks.read", "tasks.write"}),
        ("tasks:read tasks:write", {"tasks.read", "tasks.write"}),
        ("tasks:read offline_access", {"tasks.read"}),
        (None, {"tasks.read", "tasks.write"}),
    ],
)
@ON_SQLITE
async def test_pingone_is_asked_for_exactly_what_was_consented_in_its_own_names(
    auth: AuthUnderTest, asked: str | None, at_pingone: set[str]
) -> None:
    browser = auth.new_browser()
    page = await auth.authorize(browser, **(AT_OTHER | {"scope": asked}))
    sent = redirect_query(await auth.decide(browser, page))
    names = sent["scope"].split(" ")
    assert len(set(names)) == len(names)
    assert set(names) == at_pingone | {"openid", "profile"}


async def test_pingones_own_scopes_are_asked_for_as_configured(database_url: str) -> None:
    settings = SETTINGS | {"pingone_scopes": "openid email"}
    async with auth_under_test(database_url, simulator=SIMULATOR, **settings) as auth:
        browser = auth.new_browser()
        page = await auth.authorize(browser, **(AT_OTHER | {"scope": "tasks:read"}))
        sent = redirect_query(await auth.decide(browser, page))
        assert sent["scope"] == "email openid tasks.read"


@pytest.mark.standard("RFC 6749 3.3 granted")
@pytest.mark.parametrize(
    ("asked", "at_pingone", "granted"),
    [
        ("tasks:read tasks:write", "tasks.read tasks.write", "tasks:read tasks:write"),
        ("tasks:read tasks:write", "tasks.read", "tasks:read"),
        ("tasks:read", "tasks.read tasks.write", "tasks:read"),
        ("tasks:read offline_access", "tasks.read", "offline_access tasks:read"),
    ],
)
@ON_SQLITE
async def test_a_scope_is_granted_if_pingone_granted_all_that_it_stands_for(
    auth: AuthUnderTest, asked: str, at_pingone: str, granted: str
) -> None:
    code = code_at_client(await answered_with(auth, asked, at_pingone))
    handles = (await auth.exchange(code, resource=OTHER_RESOURCE)).json()
    assert handles["scope"] == granted
    answer = (await auth.introspect(handles["access_token"], auth=OTHER_CLIENT)).json()
    assert answer["scope"] == granted
    assert set(answer["downstream_token"]["scope"].split()) == {"openid", *at_pingone.split()}


@pytest.mark.parametrize("at_pingone", ["", "tasks.write"])
async def test_a_person_to_whom_pingone_grants_too_little_is_refused_and_no_token_stays(
    auth: AuthUnderTest, at_pingone: str
) -> None:
    answers = keep_token_answers(auth)
    response = await answered_with(auth, "tasks:write offline_access", at_pingone)
    assert error_at_client(response) == "access_denied"
    await auth.settle()
    assert await count_rows(auth, grants) == 0
    (token,) = answers
    assert not auth.simulator.is_family_live(token["refresh_token"])


@pytest.mark.standard("MCP 2026-07-28 authorization: step-up")
async def test_a_step_up_is_a_grant_of_its_own_with_exactly_what_was_consented(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answers = []
    # The older one ends when the new code is redeemed: one looks at each while it lives.
    for scope in ("tasks:read", "tasks:read tasks:write"):
        handles = await handles_at_other(auth, browser, scope=scope)
        answer = await auth.introspect(handles["access_token"], auth=OTHER_CLIENT)
        answers.append(answer.json())
    assert [answer["scope"] for answer in answers] == ["tasks:read", "tasks:read tasks:write"]
    assert answers[0]["grant_id"] != answers[1]["grant_id"]
    at_pingone = [set(answer["downstream_token"]["scope"].split()) for answer in answers]
    assert at_pingone[1] - at_pingone[0] == {"tasks.write"}


async def test_less_than_before_is_a_grant_with_less(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    await handles_at_other(auth, browser)
    reading = await handles_at_other(auth, browser, scope="tasks:read")
    answer = (await auth.introspect(reading["access_token"], auth=OTHER_CLIENT)).json()
    assert answer["scope"] == "tasks:read"
    assert "tasks.write" not in answer["downstream_token"]["scope"]
