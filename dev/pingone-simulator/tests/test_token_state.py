"""/userinfo, /introspect, /revoke: what a token is worth, and how it ends."""

import httpx
import pytest

from pingone_simulator.people import PEOPLE
from pingone_simulator.testing import Clock, RelyingParty

API_ONLY = "todo_api:read"
PINGONE_ONLY = "openid profile"


async def is_active(party: RelyingParty, token: str) -> bool:
    response = await party.post("introspect", token=token)
    return bool(response.raise_for_status().json()["active"])


async def test_userinfo_tells_what_the_scopes_allow(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens(username="bob", scope="openid email")

    response = await party.userinfo(tokens["access_token"])

    assert response.json() == {"sub": PEOPLE[1].sub, "email": "bob@example.com"}
    assert response.headers["cache-control"] == "no-store"


async def test_userinfo_without_a_token_is_challenged_without_an_error_code(
    party: RelyingParty,
) -> None:
    response = await party.browser.get(f"{party.issuer}/userinfo")

    assert response.status_code == httpx.codes.UNAUTHORIZED
    assert response.headers["www-authenticate"] == "Bearer"


async def test_userinfo_refuses_a_made_up_token_with_invalid_token(party: RelyingParty) -> None:
    response = await party.userinfo("made-up")

    assert response.status_code == httpx.codes.UNAUTHORIZED
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert response.headers["correlation-id"] in response.json()["error_description"]


async def test_userinfo_refuses_an_id_token_and_a_refresh_token(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens()

    for kind in ("id_token", "refresh_token"):
        response = await party.userinfo(tokens[kind])
        assert response.status_code == httpx.codes.UNAUTHORIZED


async def test_userinfo_needs_the_scope_openid(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens(scope=API_ONLY)

    response = await party.userinfo(tokens["access_token"])

    assert response.status_code == httpx.codes.FORBIDDEN
    assert response.json()["error"] == "insufficient_scope"


async def test_userinfo_refuses_an_expired_token(party: RelyingParty, clock: Clock) -> None:
    access_token = (await party.obtain_tokens())["access_token"]
    clock.advance(seconds=3599)
    assert (await party.userinfo(access_token)).status_code == httpx.codes.OK

    clock.advance(seconds=1)
    assert (await party.userinfo(access_token)).status_code == httpx.codes.UNAUTHORIZED


async def test_introspection_describes_a_live_access_token(
    party: RelyingParty, clock: Clock
) -> None:
    tokens = await party.obtain_tokens(scope=API_ONLY)
    now = int(clock().timestamp())

    answer = (await party.post("introspect", token=tokens["access_token"])).json()

    assert answer == {
        "active": True,
        "token_type": "Bearer",
        "iss": party.issuer,
        "client_id": party.settings.client_id,
        "sub": PEOPLE[0].sub,
        "username": "alice",
        "aud": ["https://todo.api.com"],
        "scope": API_ONLY,
        "iat": now,
        "exp": now + 3600,
        "sid": answer["sid"],
        "acr": "Single_Factor",
        "auth_time": now,
    }


async def test_introspection_knows_a_refresh_token_until_it_is_rotated(
    party: RelyingParty,
) -> None:
    first = (await party.obtain_tokens())["refresh_token"]
    assert await is_active(party, first)

    second = (await party.refresh(first)).json()["refresh_token"]

    assert not await is_active(party, first)
    assert await is_active(party, second)


async def test_introspection_has_one_negative_answer(party: RelyingParty, clock: Clock) -> None:
    expired = (await party.obtain_tokens())["access_token"]
    clock.advance(seconds=3600)
    for token in (expired, "made-up", "eyJhbGciOiJub25lIn0.e30."):
        assert (await party.post("introspect", token=token)).json() == {"active": False}


async def test_introspection_without_a_token_is_an_invalid_request(party: RelyingParty) -> None:
    assert (await party.post("introspect")).json()["error"] == "invalid_request"


async def test_revoking_a_refresh_token_ends_everything_of_its_grant(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens()

    response = await party.post("revoke", token=tokens["refresh_token"])

    assert response.status_code == httpx.codes.OK
    assert response.content == b""
    assert not await is_active(party, tokens["access_token"])
    assert (await party.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_revoking_an_access_token_leaves_the_refresh_token(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens()

    await party.post("revoke", token=tokens["access_token"], token_type_hint="refresh_token")

    assert not await is_active(party, tokens["access_token"])
    assert (await party.userinfo(tokens["access_token"])).status_code == httpx.codes.UNAUTHORIZED
    assert (await party.refresh(tokens["refresh_token"])).status_code == httpx.codes.OK


async def test_an_access_token_for_the_pingone_api_cannot_be_revoked(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens(scope=PINGONE_ONLY)

    response = await party.post("revoke", token=tokens["access_token"])

    assert response.json()["error"] == "unsupported_token_type"
    assert await is_active(party, tokens["access_token"])


@pytest.mark.parametrize("token", ["made-up", "eyJhbGciOiJub25lIn0.e30."])
async def test_revoking_an_unknown_token_succeeds(party: RelyingParty, token: str) -> None:
    assert (await party.post("revoke", token=token)).status_code == httpx.codes.OK


async def test_revoking_a_rotated_refresh_token_ends_its_successor_too(
    party: RelyingParty,
) -> None:
    first = (await party.obtain_tokens())["refresh_token"]
    second = (await party.refresh(first)).json()["refresh_token"]

    await party.post("revoke", token=first)

    assert not party.simulator.is_refresh_token_live(second)
