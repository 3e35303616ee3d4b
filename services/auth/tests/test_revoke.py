"""`POST /revoke` (RFC 7009): either handle ends the whole grant, here and at PingOne."""

import json

import httpx2
import pytest
from auth_back_channel import is_for, keep_token_answers, refusal
from auth_harness import REDIRECT_URI, AuthUnderTest, auth_under_test

from auth_server.domain.handles import ACCESS_PREFIX, REFRESH_PREFIX, new_handle

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def revoke(auth: AuthUnderTest, token: str, **form: str) -> None:
    """Post to /revoke, which must answer 200 without a body."""
    data = {"client_id": auth.client_id, "token": token, **form}
    response = await auth.anyone.post("/revoke", data=data)
    assert response.status_code == 200, response.text
    assert response.content == b""
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.standard("RFC 7009 2.1 refresh token", "OAuth 2.1 4.3.3")
async def test_giving_back_a_refresh_handle_ends_the_grant_here_and_at_pingone(
    auth: AuthUnderTest,
) -> None:
    at_pingone = keep_token_answers(auth)
    first = await auth.obtain_handles()
    second = (await auth.refresh(first["refresh_token"])).json()
    await revoke(auth, second["refresh_token"])
    for handles in (first, second):
        assert not await auth.is_active(handles["access_token"])
    assert refusal(await auth.refresh(second["refresh_token"])) == "invalid_grant"
    await auth.settle()
    assert not auth.simulator.is_family_live(at_pingone[0]["refresh_token"])
    assert not auth.simulator.is_access_token_live(at_pingone[0]["access_token"])


@pytest.mark.standard("RFC 7009 2.1 hint", "RFC 7009 2.1 access token")
async def test_giving_back_an_access_handle_ends_the_grant_too(auth: AuthUnderTest) -> None:
    at_pingone = keep_token_answers(auth)
    handles = await auth.obtain_handles()
    # The hint may be wrong: it is only a hint (RFC 7009 2.1).
    await revoke(auth, handles["access_token"], token_type_hint="refresh_token")
    assert not await auth.is_active(handles["access_token"])
    assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"
    await auth.settle()
    assert not auth.simulator.is_family_live(at_pingone[0]["refresh_token"])


@pytest.mark.standard("RFC 7009 2.1 at once")
@ON_SQLITE
async def test_an_expired_or_spent_handle_still_ends_its_grant(auth: AuthUnderTest) -> None:
    first = await auth.obtain_handles()
    second = (await auth.refresh(first["refresh_token"])).json()
    auth.clock.advance(hours=2)
    await revoke(auth, first["access_token"])
    assert refusal(await auth.refresh(second["refresh_token"])) == "invalid_grant"
    first = await auth.obtain_handles()
    second = (await auth.refresh(first["refresh_token"])).json()
    await revoke(auth, first["refresh_token"])
    assert not await auth.is_active(second["access_token"])


async def test_only_the_revoked_grant_ends(auth: AuthUnderTest) -> None:
    at_pingone = keep_token_answers(auth)
    one, other = await auth.obtain_handles(), await auth.obtain_handles(username="bob")
    await revoke(auth, one["access_token"])
    assert await auth.is_active(other["access_token"])
    await auth.settle()
    assert auth.simulator.is_family_live(at_pingone[1]["refresh_token"])
    assert (await auth.refresh(other["refresh_token"])).status_code == 200


@pytest.mark.standard("RFC 7009 2.2")
@ON_SQLITE
async def test_an_unknown_or_malformed_token_is_answered_like_a_revoked_one(
    auth: AuthUnderTest,
) -> None:
    handles = await auth.obtain_handles()
    last = "0" if handles["access_token"][-1] != "0" else "1"
    for token in (
        "nothing",
        "é",
        new_handle(ACCESS_PREFIX),
        new_handle(REFRESH_PREFIX),
        handles["access_token"][:-1] + last,
        handles["access_token"].upper(),
    ):
        await revoke(auth, token)
    assert await auth.is_active(handles["access_token"])


@pytest.mark.standard("RFC 7009 2.1 ownership")
async def test_a_stranger_learns_nothing_and_changes_nothing(auth: AuthUnderTest) -> None:
    at_pingone = keep_token_answers(auth)
    handles = await auth.obtain_handles()
    stranger = (await auth.register(client_name="A stranger"))["client_id"]
    for token in (handles["access_token"], handles["refresh_token"]):
        await revoke(auth, token, client_id=stranger)
    assert await auth.is_active(handles["access_token"])
    await auth.settle()
    assert auth.simulator.is_family_live(at_pingone[0]["refresh_token"])
    assert (await auth.refresh(handles["refresh_token"])).status_code == 200


@pytest.mark.standard("RFC 7009 2.1 as client")
@ON_SQLITE
async def test_revoking_twice_asks_pingone_once(auth: AuthUnderTest) -> None:
    handles = await auth.obtain_handles()
    for token in (handles["access_token"], handles["refresh_token"], handles["access_token"]):
        await revoke(auth, token)
    await auth.settle()
    revocations = [request for request in auth.pingone.requests if is_for(request, "/revoke")]
    assert len(revocations) == 1


@pytest.mark.standard("RFC 7009 2.1 as client")
@ON_SQLITE
async def test_the_revocation_holds_whatever_pingone_answers(auth: AuthUnderTest) -> None:
    def unreachable(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    def too_slow(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("too slow", request=request)

    def failing(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(500, text="<html>")

    browser = auth.new_browser()
    for failure in (unreachable, too_slow, failing):
        handles = await auth.obtain_handles(browser)
        auth.pingone.fail_with = failure
        await revoke(auth, handles["refresh_token"])
        assert not await auth.is_active(handles["access_token"])
        assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"
        await auth.settle()
        auth.pingone.fail_with = None


@pytest.mark.standard("RFC 7009 2.1 authentication", "RFC 7009 2.2.1")
@ON_SQLITE
async def test_revocation_needs_a_proven_client_and_a_token(auth: AuthUnderTest) -> None:
    handles = await auth.obtain_handles()
    anonymous = await auth.anyone.post("/revoke", data={"token": handles["access_token"]})
    assert refusal(anonymous, 401) == "invalid_client"
    assert "www-authenticate" in anonymous.headers
    without_token = await auth.anyone.post("/revoke", data={"client_id": auth.client_id})
    assert refusal(without_token) == "invalid_request"
    assert await auth.is_active(handles["access_token"])


@pytest.mark.standard("RFC 6749 2.3.1 body", "RFC 7009 2.1 authentication")
@ON_SQLITE
async def test_a_confidential_clients_handles_need_its_secret(database_url: str) -> None:
    configured = {
        "client_id": "confidential",
        "client_secret": "the-secret-of-the-client",
        "token_endpoint_auth_method": "client_secret_post",
        "redirect_uris": [REDIRECT_URI],
    }
    async with auth_under_test(database_url, auth_clients=json.dumps([configured])) as auth:
        auth.client_id = "confidential"
        code = await auth.obtain_code()
        secret = configured["client_secret"]
        handles = (await auth.exchange(code, client_secret=str(secret))).json()
        for form in ({}, {"client_secret": "wrong"}):
            data = {"client_id": "confidential", "token": handles["access_token"], **form}
            response = await auth.anyone.post("/revoke", data=data)
            assert refusal(response, 401) == "invalid_client"
        assert await auth.is_active(handles["access_token"])
        await revoke(auth, handles["access_token"], client_secret=str(secret))
        assert not await auth.is_active(handles["access_token"])
