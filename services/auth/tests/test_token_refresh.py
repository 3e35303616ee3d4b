"""`POST /token` with a refresh handle (OAuth 2.1 4.3): rotation, and what reuse means."""

import json
from typing import Any

import pytest
from auth_answers import count_rows
from auth_back_channel import database_outage, keep_token_answers, refusal
from auth_harness import REDIRECT_URI, RESOURCE, AuthUnderTest, auth_under_test
from sqlalchemy import select

from auth_server.domain.handles import ACCESS_PREFIX, REFRESH_PREFIX, new_handle
from auth_server.storage.database import StorageUnavailable
from auth_server.storage.grants import Grants
from auth_server.storage.tables import access_handles, audit_events, refresh_handles

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def renewed(auth: AuthUnderTest, refresh_token: str, **changes: Any) -> dict[str, Any]:
    """The token response to a refresh that must succeed."""
    response = await auth.refresh(refresh_token, **changes)
    assert response.status_code == 200, response.text
    handles: dict[str, Any] = response.json()
    return handles


@pytest.mark.standard(
    "RFC 6749 6 rotation",
    "RFC 9700 2.2.2",
    "OAuth 2.1 4.3.1",
    "MCP 2026-07-28 authorization: refresh tokens",
)
async def test_a_refresh_replaces_both_handles_and_asks_pingone_nothing(
    auth: AuthUnderTest,
) -> None:
    first = await auth.obtain_handles()
    requests_before = len(auth.pingone.requests)
    response = await auth.refresh(first["refresh_token"])
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    second = response.json()
    assert {key: second[key] for key in second if not key.endswith("_token")} == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "todo_api:read todo_api:write",
    }
    assert second["access_token"].startswith(ACCESS_PREFIX)
    assert second["refresh_token"].startswith(REFRESH_PREFIX)
    four = {
        handles[key] for handles in (first, second) for key in ("access_token", "refresh_token")
    }
    assert len(four) == 4
    assert await auth.is_active(second["access_token"])
    # A request that is on its way with the old access handle is not to fail.
    assert await auth.is_active(first["access_token"])
    assert len(auth.pingone.requests) == requests_before


@pytest.mark.standard(
    "RFC 6749 10.4", "RFC 9700 2.2.2", "RFC 9700 4.14.2 rotation", "OAuth 2.1 4.3.1"
)
async def test_a_spent_handle_that_comes_back_ends_the_grant(auth: AuthUnderTest) -> None:
    # RFC 9700 4.14.2. The end is committed although the request is refused.
    at_pingone = keep_token_answers(auth)
    first = await auth.obtain_handles()
    second = await renewed(auth, first["refresh_token"])
    auth.clock.advance(seconds=60)
    assert refusal(await auth.refresh(first["refresh_token"])) == "invalid_grant"
    for handles in (first, second):
        assert not await auth.is_active(handles["access_token"])
    assert refusal(await auth.refresh(second["refresh_token"])) == "invalid_grant"
    await auth.settle()
    assert not auth.simulator.is_family_live(at_pingone[0]["refresh_token"])


@pytest.mark.standard("RFC 6749 6 scope")
@ON_SQLITE
async def test_a_refresh_may_narrow_the_scope_for_one_access_handle(auth: AuthUnderTest) -> None:
    # RFC 6749 6: the grant, and with it the next refresh handle, keeps its scopes.
    first = await auth.obtain_handles()
    second = await renewed(auth, first["refresh_token"], scope="todo_api:read")
    assert second["scope"] == "todo_api:read"
    active = (await auth.introspect(second["access_token"])).json()
    assert active["scope"] == "todo_api:read"
    third = await renewed(auth, second["refresh_token"])
    assert third["scope"] == "todo_api:read todo_api:write"


@pytest.mark.standard("RFC 6749 5.2 invalid_scope", "RFC 6749 6 scope")
@ON_SQLITE
async def test_a_scope_beyond_the_grant_is_refused_and_spends_nothing(auth: AuthUnderTest) -> None:
    handles = await auth.obtain_handles(scope="todo_api:read")
    for scope in (
        "todo_api:read todo_api:write",
        "todo_api:write",
        "Todo_api:read",
        "todo_api:read  todo_api:read",
        'todo_api:read"',
    ):
        response = await auth.refresh(handles["refresh_token"], scope=scope)
        assert refusal(response) == "invalid_scope", scope
    renewed_handles = await renewed(auth, handles["refresh_token"], scope="todo_api:read")
    assert await auth.is_active(renewed_handles["access_token"])


@pytest.mark.standard("RFC 8707 2.2 refresh")
@ON_SQLITE
async def test_the_resource_may_be_left_out_but_never_changed(auth: AuthUnderTest) -> None:
    first = await auth.obtain_handles()
    for resource in ("https://other.example/mcp", [RESOURCE, "https://other.example"]):
        response = await auth.refresh(first["refresh_token"], resource=resource)
        assert refusal(response) == "invalid_target", resource
    second = await renewed(auth, first["refresh_token"], resource=RESOURCE)
    third = await renewed(auth, second["refresh_token"])
    active = (await auth.introspect(third["access_token"])).json()
    assert active["aud"] == RESOURCE


@pytest.mark.standard("RFC 6749 6 binding", "RFC 6749 10.4")
async def test_another_clients_handle_is_refused_and_stays_its_owners(auth: AuthUnderTest) -> None:
    thief = (await auth.register(client_name="A thief"))["client_id"]
    first = await auth.obtain_handles()
    stolen = await auth.refresh(first["refresh_token"], client_id=thief)
    assert refusal(stolen) == "invalid_grant"
    await renewed(auth, first["refresh_token"])
    # A stranger cannot end the grant with a spent handle either.
    replayed = await auth.refresh(first["refresh_token"], client_id=thief)
    assert refusal(replayed) == "invalid_grant"
    assert await auth.is_active(first["access_token"])


@pytest.mark.standard("RFC 9700 4.14.2 expiry")
async def test_a_refresh_handle_lives_thirty_days_and_slides(auth: AuthUnderTest) -> None:
    handles = await auth.obtain_handles()
    for _ in range(2):
        auth.clock.advance(days=29, hours=23)
        handles = await renewed(auth, handles["refresh_token"])
    auth.clock.advance(days=30)
    assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"


@pytest.mark.standard("RFC 6750 5.2 lifetime", "RFC 9700 4.14.2 expiry")
async def test_no_handle_outlives_its_grant_however_often_it_is_refreshed(
    database_url: str,
) -> None:
    async with auth_under_test(database_url, auth_grant_days=1) as auth:
        first = await auth.obtain_handles()
        auth.clock.advance(hours=23, minutes=50)
        second = await renewed(auth, first["refresh_token"])
        assert second["expires_in"] == 600
        assert await auth.is_active(second["access_token"])
        auth.clock.advance(minutes=10)
        assert refusal(await auth.refresh(second["refresh_token"])) == "invalid_grant"
        assert not await auth.is_active(second["access_token"])


@ON_SQLITE
async def test_a_handle_that_cannot_be_ours_is_refused_without_the_database(
    database_url: str,
) -> None:
    # A configured client, because looking a registered one up needs the database too.
    client = {"client_id": "configured", "redirect_uris": [REDIRECT_URI]}
    client["grant_types"] = ["authorization_code", "refresh_token"]
    async with auth_under_test(database_url, auth_clients=json.dumps([client])) as auth:
        auth.client_id = "configured"
        genuine = new_handle(REFRESH_PREFIX)
        last = "0" if genuine[-1] != "0" else "1"
        async with database_outage(auth):
            for handle in ("x", "é", genuine[:-1], genuine[:-1] + last, new_handle(ACCESS_PREFIX)):
                assert refusal(await auth.refresh(handle)) == "invalid_grant", handle
            # The control: this one has to be looked up.
            assert refusal(await auth.refresh(genuine), 503) == "temporarily_unavailable"


@ON_SQLITE
async def test_an_access_handle_is_no_refresh_handle(auth: AuthUnderTest) -> None:
    handles = await auth.obtain_handles()
    assert refusal(await auth.refresh(handles["access_token"])) == "invalid_grant"
    assert await auth.is_active(handles["access_token"])
    assert refusal(await auth.refresh("")) == "invalid_request"


@pytest.mark.standard("RFC 6749 5.2 invalid_grant")
@ON_SQLITE
async def test_an_unknown_refresh_handle_is_refused(auth: AuthUnderTest) -> None:
    assert refusal(await auth.refresh(new_handle(REFRESH_PREFIX))) == "invalid_grant"


async def test_a_refresh_that_dies_half_way_has_spent_nothing(
    auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise StorageUnavailable("the connection is gone")

    handles = await auth.obtain_handles()
    recorded = await count_rows(auth, audit_events)
    with monkeypatch.context() as patch:
        patch.setattr(Grants, "touch", fail)
        response = await auth.refresh(handles["refresh_token"])
    assert refusal(response, 503) == "temporarily_unavailable"
    async with auth.resources.database.reading_connection() as connection:
        rotated = await connection.execute(select(refresh_handles.c.rotated_at))
        assert rotated.scalars().all() == [None]
    assert await count_rows(auth, access_handles) == 1
    assert await count_rows(auth, audit_events) == recorded
    await renewed(auth, handles["refresh_token"])
