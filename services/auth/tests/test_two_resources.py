"""Two MCP servers behind one authorization server: each has its own, and nothing of the other's."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from auth_answers import code_at_client, error_at_client, host_of
from auth_back_channel import downstream, refusal
from auth_harness import (
    API,
    INTROSPECTION_CLIENT,
    RESOURCE,
    AuthUnderTest,
    auth_under_test,
    redirect_query,
)
from two_resources import (
    AT_OTHER,
    OTHER_API,
    OTHER_CLIENT,
    OTHER_NAME,
    OTHER_RESOURCE,
    SETTINGS,
    SIMULATOR,
    handles_at_other,
)

from pingone_simulator.people import PEOPLE

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def auth(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The authorization server with two resources."""
    async with auth_under_test(database_url, simulator=SIMULATOR, **SETTINGS) as auth:
        yield auth


async def is_active_at(
    auth: AuthUnderTest, credential: tuple[str, str], handles: dict[str, Any]
) -> bool:
    response = await auth.introspect(handles["access_token"], auth=credential)
    assert response.status_code == 200
    return bool(response.json() != {"active": False})


@pytest.mark.standard("RFC 8707 2.2 audience")
async def test_a_handle_of_one_server_is_inactive_at_the_other(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    here, there = await auth.obtain_handles(browser), await handles_at_other(auth, browser)
    assert await is_active_at(auth, INTROSPECTION_CLIENT, here)
    assert await is_active_at(auth, OTHER_CLIENT, there)
    assert not await is_active_at(auth, OTHER_CLIENT, here)
    assert not await is_active_at(auth, INTROSPECTION_CLIENT, there)


@ON_SQLITE
async def test_a_servers_credential_is_its_own(auth: AuthUnderTest) -> None:
    handles = await handles_at_other(auth)
    crossed = (OTHER_CLIENT[0], INTROSPECTION_CLIENT[1])
    response = await auth.introspect(handles["access_token"], auth=crossed)
    assert refusal(response, 401) == "invalid_client"


async def test_each_server_gets_the_token_of_its_own_api_and_its_own_scopes(
    auth: AuthUnderTest,
) -> None:
    handles = await handles_at_other(auth)
    assert handles["scope"] == "tasks:read tasks:write"
    answer = (await auth.introspect(handles["access_token"], auth=OTHER_CLIENT)).json()
    token = answer.pop("downstream_token")
    assert (answer["aud"], answer["scope"]) == (OTHER_RESOURCE, "tasks:read tasks:write")
    assert answer["sub"] == PEOPLE[0].sub
    assert token["audience"] == OTHER_API
    assert set(token["scope"].split()) == {"openid", "profile", "tasks.read", "tasks.write"}
    assert auth.simulator.is_access_token_live(token["access_token"])


async def test_a_token_of_the_second_api_is_refreshed_as_its_own(auth: AuthUnderTest) -> None:
    handles = await handles_at_other(auth)
    before = (await auth.introspect(handles["access_token"], auth=OTHER_CLIENT)).json()
    auth.clock.advance(minutes=59, seconds=30)
    after = (await auth.introspect(handles["access_token"], auth=OTHER_CLIENT)).json()
    one, other = before.pop("downstream_token"), after.pop("downstream_token")
    assert before == after
    assert one.pop("access_token") != other.pop("access_token")
    assert one.pop("expires_at") < other.pop("expires_at")
    assert one == other


@pytest.mark.standard("RFC 8707 2 default", "RFC 8707 2 repeated")
@ON_SQLITE
@pytest.mark.parametrize(
    "resource",
    [
        None,
        "",
        [RESOURCE, OTHER_RESOURCE],
        [OTHER_RESOURCE, "https://unknown.example.com/mcp"],
        "https://unknown.example.com/mcp",
        f"{OTHER_RESOURCE}#fragment",
        f"{OTHER_RESOURCE}#",
        "https://tasks.example.com:443/mcp",
        "https://tasks.example.com/MCP",
        "https://tasks.example.com/%6Dcp",
    ],
    ids=str,
)
async def test_without_one_known_resource_the_client_is_told_invalid_target(
    auth: AuthUnderTest, resource: Any
) -> None:
    response = await auth.authorize(auth.new_browser(), resource=resource, scope=None)
    assert error_at_client(response) == "invalid_target"


@pytest.mark.standard("RFC 8707 2 repeated", "RFC 8707 2 comparison")
@ON_SQLITE
async def test_one_resource_may_be_named_several_times_and_in_other_letters(
    auth: AuthUnderTest,
) -> None:
    spellings = [OTHER_RESOURCE, f"{OTHER_RESOURCE}/", "HTTPS://TASKS.example.com/mcp", ""]
    code = await auth.obtain_code(resource=spellings, scope=AT_OTHER["scope"])
    response = await auth.exchange(code, resource=spellings)
    assert await is_active_at(auth, OTHER_CLIENT, response.json())


@ON_SQLITE
async def test_a_scope_of_the_other_server_does_not_exist_at_this_one(auth: AuthUnderTest) -> None:
    response = await auth.authorize(auth.new_browser(), resource=RESOURCE, scope="tasks:read")
    assert error_at_client(response) == "invalid_scope"


@ON_SQLITE
async def test_without_a_scope_all_of_the_named_server_are_asked_about(auth: AuthUnderTest) -> None:
    handles = await handles_at_other(auth, scope=None)
    assert handles["scope"] == "tasks:read tasks:write"


@pytest.mark.standard("RFC 8707 2.2 code")
async def test_a_code_for_one_server_buys_nothing_at_the_other(auth: AuthUnderTest) -> None:
    for resource in (RESOURCE, [OTHER_RESOURCE, RESOURCE]):
        code = await auth.obtain_code(**AT_OTHER)
        response = await auth.exchange(code, resource=resource)
        assert refusal(response) == "invalid_target"


@pytest.mark.standard("RFC 8707 2.2 code", "RFC 8707 2.2 refresh")
@pytest.mark.parametrize("resource", [None, "", ["", f"{OTHER_RESOURCE}/"]], ids=str)
@ON_SQLITE
async def test_at_the_token_endpoint_an_absent_resource_is_the_authorized_one(
    auth: AuthUnderTest, resource: Any
) -> None:
    code = await auth.obtain_code(**AT_OTHER)
    handles = (await auth.exchange(code, resource=resource)).json()
    assert await is_active_at(auth, OTHER_CLIENT, handles)
    refreshed = await auth.refresh(handles["refresh_token"], resource=resource)
    assert await is_active_at(auth, OTHER_CLIENT, refreshed.json())


@pytest.mark.standard("RFC 8707 2.2 refresh")
async def test_a_refresh_handle_of_one_server_is_refused_for_the_other_and_not_spent(
    auth: AuthUnderTest,
) -> None:
    handles = await handles_at_other(auth)
    for resource in (RESOURCE, [OTHER_RESOURCE, RESOURCE]):
        response = await auth.refresh(handles["refresh_token"], resource=resource)
        assert refusal(response) == "invalid_target"
    refreshed = await auth.refresh(handles["refresh_token"], resource=OTHER_RESOURCE)
    assert await is_active_at(auth, OTHER_CLIENT, refreshed.json())


async def test_revoking_at_one_server_leaves_the_other(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    here, there = await auth.obtain_handles(browser), await handles_at_other(auth, browser)
    token = await downstream(auth, here["access_token"])
    form = {"token": there["refresh_token"], "client_id": auth.client_id}
    assert (await auth.anyone.post("/revoke", data=form)).status_code == 200
    await auth.settle()
    assert not await is_active_at(auth, OTHER_CLIENT, there)
    assert await is_active_at(auth, INTROSPECTION_CLIENT, here)
    assert auth.simulator.is_access_token_live(token["access_token"])


async def test_a_consent_for_one_server_is_none_for_the_other(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    await auth.obtain_code(browser)
    first = await auth.authorize(browser, **AT_OTHER)
    assert first.status_code == 200, "the page asks"
    returned = await auth.sign_on(browser, await auth.decide(browser, first))
    code_at_client(await auth.back(browser, returned))
    for there in ({}, AT_OTHER):
        assert host_of(await auth.authorize(browser, **there)) == "localhost:9080"


@ON_SQLITE
async def test_the_consent_page_names_the_server(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    there = await auth.authorize(browser, **AT_OTHER)
    assert f'At <strong><bdi translate="no">{OTHER_NAME}</bdi></strong>:' in there.text
    assert "<p>See your tasks <span" in there.text
    assert OTHER_RESOURCE in there.text
    here = await auth.authorize(browser)
    assert "At <strong>" not in here.text, "it has no name"
    assert RESOURCE in here.text


@ON_SQLITE
async def test_the_metadata_lists_the_scopes_of_every_server(auth: AuthUnderTest) -> None:
    document = (await auth.anyone.get("/.well-known/oauth-authorization-server")).json()
    assert document["scopes_supported"] == [
        "tasks:read",
        "tasks:write",
        "todo_api:read",
        "todo_api:write",
    ]


@pytest.mark.standard("RFC 8707 2 as client")
@ON_SQLITE
async def test_a_token_for_the_other_api_is_not_taken_for_this_one(auth: AuthUnderTest) -> None:
    # PingOne, or whoever stands in between, answers a login at one API with another's token.
    browser = auth.new_browser()
    to_pingone = await auth.decide(browser, await auth.authorize(browser, **AT_OTHER))
    swapped = to_pingone.headers["location"]
    for theirs, ours in ((OTHER_API, API), ("tasks.", "todo_api%3A")):
        swapped = swapped.replace(theirs.replace(":", "%3A").replace("/", "%2F"), ours)
    to_pingone.headers["location"] = swapped
    returned = await auth.sign_on(browser, to_pingone)
    assert "code" in redirect_query(returned), "PingOne has nothing against it"
    assert error_at_client(await auth.back(browser, returned)) == "server_error"
