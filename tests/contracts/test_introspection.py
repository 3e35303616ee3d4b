"""What auth's introspection endpoint answers is what mcp reads."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from auth_harness import API, INTERNAL, ISSUER, RESOURCE, AuthUnderTest

from auth_server.domain.handles import ACCESS_PREFIX, new_handle
from mcp_server.handle_verifier import (
    AiohttpIntrospector,
    HandleInactive,
    IntrospectionUnavailable,
)
from mcp_server.handle_verifier.verified_handle import read_answer


@pytest.mark.standard("RFC 7662 2.2 active")
async def test_an_active_handle_is_read_with_everything_it_stands_for(
    auth: AuthUnderTest, vouch: Any
) -> None:
    handle = await vouch()
    now = auth.clock().timestamp()
    assert handle.username == "Alice Archer"
    assert handle.client_id == auth.client_id
    assert handle.scopes == {"todo_api:read", "todo_api:write"}
    assert handle.expires_at == int(now) + 3600
    token = handle.downstream_token
    assert token.access_token.count(".") == 2
    assert token.audience == API
    assert {"todo_api:read", "todo_api:write"} <= token.scopes
    assert token.expires_at == int(now) + 3600


@pytest.mark.standard("RFC 7662 2.2 inactive")
async def test_an_unknown_a_revoked_and_an_expired_handle_are_the_same_inactive(
    auth: AuthUnderTest, introspect: Any, let_time_pass: Callable[[timedelta], None]
) -> None:
    revoked = (await auth.obtain_handles())["access_token"]
    await auth.anyone.post("/revoke", data={"token": revoked, "client_id": auth.client_id})
    expired = (await auth.obtain_handles())["access_token"]
    let_time_pass(timedelta(hours=1))
    answers = [await introspect(raw) for raw in (new_handle(ACCESS_PREFIX), revoked, expired)]
    assert answers == [{"active": False}] * 3
    with pytest.raises(HandleInactive):
        read_answer(answers[0], resource=RESOURCE, issuer=ISSUER, now=0)


@pytest.mark.standard("RFC 7662 2.3")
async def test_wrong_credentials_are_an_outage_and_never_inactive(
    auth: AuthUnderTest, session: aiohttp.ClientSession, serve: Any
) -> None:
    handles = await auth.obtain_handles()
    async with serve(auth.apps[INTERNAL]) as url:
        stranger = AiohttpIntrospector(
            session, auth_internal_url=url, client_id="mcp", client_secret="not the secret"
        )
        with pytest.raises(IntrospectionUnavailable, match="401"):
            await stranger(handles["access_token"])


@pytest.mark.standard("RFC 6749 2.3.1 basic")
async def test_credentials_with_reserved_characters_arrive_as_they_are(
    session: aiohttp.ClientSession, serve: Any, start_auth: Any
) -> None:
    client_id, client_secret = "mcp server:1", "a+b%20c/ü:&=secret of some length"
    async with (
        start_auth(
            introspection_client_id=client_id, introspection_client_secret=client_secret
        ) as auth,
        serve(auth.apps[INTERNAL]) as url,
    ):
        introspect = AiohttpIntrospector(
            session, auth_internal_url=url, client_id=client_id, client_secret=client_secret
        )
        handles = await auth.obtain_handles()
        assert (await introspect(handles["access_token"]))["active"] is True
