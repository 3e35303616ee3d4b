"""/token: codes and refresh tokens, spent once, and what the tokens say."""

import asyncio
import base64
import hashlib
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from structlog.testing import capture_logs

from pingone_simulator.people import PEOPLE
from pingone_simulator.testing import CODE_VERIFIER, Clock, RelyingParty, Start

ALICE = PEOPLE[0]
PROFILE = {
    "name": "Alice Archer",
    "given_name": "Alice",
    "family_name": "Archer",
    "preferred_username": "alice",
}


def claims_of(token: str, key: RSAKey) -> dict[str, Any]:
    return jwt.decode(token, key, algorithms=["RS256"]).claims


def refused(response: httpx.Response, error: str, status: int = 400) -> bool:
    """True when the answer is this error in PingOne's shape."""
    assert response.status_code == status, response.text
    assert response.headers["cache-control"] == "no-store"
    answer = response.json()
    assert set(answer) == {"error", "error_description"}
    assert f"(Correlation ID: {response.headers['correlation-id']})" in answer["error_description"]
    return bool(answer["error"] == error)


async def test_a_code_is_exchanged_for_tokens_that_no_cache_may_keep(party: RelyingParty) -> None:
    response = await party.exchange(await party.obtain_code())

    assert response.headers["cache-control"] == "no-store"
    answer = response.json()
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3600
    assert answer["scope"] == "openid profile email todo_api:read todo_api:write"
    assert set(answer) == {
        *("access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token")
    }


async def test_an_access_token_for_the_api_has_exactly_pingones_claims(
    party: RelyingParty, clock: Clock, signing_key: RSAKey
) -> None:
    now = int(clock().timestamp())
    claims = claims_of((await party.obtain_tokens())["access_token"], signing_key)

    assert claims == {
        "iss": party.issuer,
        "sub": ALICE.sub,
        "client_id": party.settings.client_id,
        "aud": ["https://todo.api.com"],
        "scope": "openid profile email todo_api:read todo_api:write",
        "iat": now,
        "exp": now + 3600,
        "sid": claims["sid"],
        "auth_time": now,
        "acr": "Single_Factor",
        "jti": claims["jti"],
    }


async def test_without_a_custom_resource_the_audience_is_the_pingone_api(
    party: RelyingParty, signing_key: RSAKey
) -> None:
    tokens = await party.obtain_tokens(scope="openid profile")

    claims = claims_of(tokens["access_token"], signing_key)
    assert claims["aud"] == ["https://api.pingone.com"]
    assert claims["env"] == party.settings.environment_id
    assert "org" in claims


async def test_a_resource_parameter_alone_sets_the_audience(
    party: RelyingParty, signing_key: RSAKey
) -> None:
    tokens = await party.obtain_tokens(scope="openid", resource="https://todo.api.com")

    assert claims_of(tokens["access_token"], signing_key)["aud"] == ["https://todo.api.com"]


async def test_scopes_that_nobody_granted_are_dropped_in_silence(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens(scope="openid todo_api:read todo_api:admin")

    assert tokens["scope"] == "openid todo_api:read"


async def test_the_header_type_of_access_tokens_can_be_the_coming_one(
    start: Start, signing_key: RSAKey
) -> None:
    tokens = await start(access_token_type="at+jwt").obtain_tokens()

    access_token = jwt.decode(tokens["access_token"], signing_key, algorithms=["RS256"])
    id_token = jwt.decode(tokens["id_token"], signing_key, algorithms=["RS256"])
    assert access_token.header["typ"] == "at+jwt"
    assert id_token.header["typ"] == "JWT"


async def test_an_id_token_names_the_person_the_client_and_the_nonce(
    party: RelyingParty, clock: Clock, signing_key: RSAKey
) -> None:
    now = int(clock().timestamp())
    tokens = await party.obtain_tokens(acr_values="Multi_Factor Single_Factor")

    claims = claims_of(tokens["id_token"], signing_key)
    assert claims == {
        **PROFILE,
        "email": "alice@example.com",
        "iss": party.issuer,
        "sub": ALICE.sub,
        "aud": party.settings.client_id,
        "iat": now,
        "exp": now + 3600,
        "nonce": "the-nonce",
        "sid": claims_of(tokens["access_token"], signing_key)["sid"],
        "auth_time": now,
        "acr": "Multi_Factor",
        "at_hash": claims["at_hash"],
    }
    digest = hashlib.sha256(tokens["access_token"].encode()).digest()
    assert claims["at_hash"] == base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


async def test_an_id_token_holds_profile_claims_only_by_scope(
    party: RelyingParty, signing_key: RSAKey
) -> None:
    tokens = await party.obtain_tokens(scope="openid todo_api:read")

    assert not {"name", "email"} & set(claims_of(tokens["id_token"], signing_key))


async def test_without_openid_there_is_no_id_token(party: RelyingParty) -> None:
    assert "id_token" not in await party.obtain_tokens(scope="todo_api:read")


async def test_auth_time_is_that_of_the_sign_on_not_of_the_token(
    party: RelyingParty, clock: Clock, signing_key: RSAKey
) -> None:
    signed_on_at = int(clock().timestamp())
    await party.obtain_tokens()
    clock.advance(hours=1)

    tokens = await party.obtain_tokens()

    assert claims_of(tokens["id_token"], signing_key)["auth_time"] == signed_on_at


async def test_a_code_used_twice_is_refused_and_its_tokens_are_revoked(
    party: RelyingParty,
) -> None:
    code = await party.obtain_code()
    tokens = (await party.exchange(code)).json()

    assert refused(await party.exchange(code), "invalid_grant")
    assert refused(await party.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_of_two_exchanges_of_one_code_at_once_one_wins(party: RelyingParty) -> None:
    code = await party.obtain_code()

    responses = await asyncio.gather(party.exchange(code), party.exchange(code))

    assert sorted(response.status_code for response in responses) == [200, 400]


async def test_a_code_expires_after_a_minute(party: RelyingParty, clock: Clock) -> None:
    fresh, stale = await party.obtain_code(), await party.obtain_code()
    clock.advance(seconds=59)
    assert (await party.exchange(fresh)).status_code == httpx.codes.OK

    clock.advance(seconds=1)
    assert refused(await party.exchange(stale), "invalid_grant")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "another-code-verifier-of-at-least-43-characters"}, "invalid_grant"),
        ({"code_verifier": "ü" * 43}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"redirect_uri": "http://localhost:8080/other"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code": "made-up"}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ],
)
async def test_an_exchange_that_does_not_fit_the_authorization_is_refused(
    party: RelyingParty, changes: dict[str, str | None], error: str
) -> None:
    assert refused(await party.exchange(await party.obtain_code(), **changes), error)


async def test_a_wrong_verifier_spends_the_code(party: RelyingParty) -> None:
    code = await party.obtain_code()
    await party.exchange(code, code_verifier="another-code-verifier-of-at-least-43-characters")

    assert refused(await party.exchange(code), "invalid_grant")


async def test_a_code_is_worth_nothing_after_signoff(party: RelyingParty) -> None:
    code = await party.obtain_code()
    await party.signoff()

    assert refused(await party.exchange(code), "invalid_grant")


async def test_a_refresh_rotates_the_refresh_token_and_renews_the_others(
    party: RelyingParty, clock: Clock, signing_key: RSAKey
) -> None:
    first = await party.obtain_tokens()
    clock.advance(minutes=30)

    second = (await party.refresh(first["refresh_token"])).raise_for_status().json()

    assert second["refresh_token"] != first["refresh_token"]
    before = claims_of(first["access_token"], signing_key)
    after = claims_of(second["access_token"], signing_key)
    assert after["exp"] == before["exp"] + 30 * 60
    assert after["jti"] != before["jti"]
    unchanged = ("sub", "sid", "aud", "scope", "auth_time", "acr")
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
    assert "nonce" not in claims_of(second["id_token"], signing_key)


async def test_replaying_a_rotated_refresh_token_revokes_all_its_descendants(
    party: RelyingParty,
) -> None:
    first = (await party.obtain_tokens())["refresh_token"]
    second = (await party.refresh(first)).json()["refresh_token"]
    third = (await party.refresh(second)).json()

    assert refused(await party.refresh(first), "invalid_grant")

    assert refused(await party.refresh(third["refresh_token"]), "invalid_grant")
    assert not party.simulator.is_family_live(third["refresh_token"])
    assert not party.simulator.is_access_token_live(third["access_token"])


async def test_a_replay_harms_no_other_authorization_of_the_same_person(
    party: RelyingParty,
) -> None:
    victim = (await party.obtain_tokens())["refresh_token"]
    bystander = (await party.obtain_tokens())["refresh_token"]
    await party.refresh(victim)
    await party.refresh(victim)

    assert (await party.refresh(bystander)).status_code == httpx.codes.OK


async def test_two_refreshes_at_once_end_the_family_when_there_is_no_grace(
    party: RelyingParty,
) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]

    responses = await asyncio.gather(*(party.refresh(refresh_token) for _ in range(2)))

    assert sorted(response.status_code for response in responses) == [200, 400]
    assert not party.simulator.is_family_live(refresh_token)


async def test_within_the_grace_period_a_replay_is_answered(start: Start, clock: Clock) -> None:
    party = start(refresh_grace_seconds=30)
    first = (await party.obtain_tokens())["refresh_token"]
    second = (await party.refresh(first)).json()["refresh_token"]

    clock.advance(seconds=29)
    replayed = await party.refresh(first)

    assert replayed.status_code == httpx.codes.OK
    assert party.simulator.is_refresh_token_live(second)
    assert party.simulator.is_refresh_token_live(replayed.json()["refresh_token"])


async def test_the_grace_period_is_counted_from_the_first_rotation(
    start: Start, clock: Clock
) -> None:
    party = start(refresh_grace_seconds=30)
    first = (await party.obtain_tokens())["refresh_token"]
    second = (await party.refresh(first)).json()["refresh_token"]
    clock.advance(seconds=20)
    await party.refresh(first)

    clock.advance(seconds=10)

    assert refused(await party.refresh(first), "invalid_grant")
    assert refused(await party.refresh(second), "invalid_grant")


async def test_a_refresh_token_expires_when_it_is_not_used(start: Start, clock: Clock) -> None:
    party = start(refresh_token_seconds=3600)
    used, unused = [(await party.obtain_tokens())["refresh_token"] for _ in range(2)]
    clock.advance(seconds=3599)
    successor = (await party.refresh(used)).json()["refresh_token"]

    clock.advance(seconds=1)

    assert refused(await party.refresh(unused), "invalid_grant")
    assert (await party.refresh(successor)).status_code == httpx.codes.OK


async def test_rotation_does_not_carry_a_family_beyond_the_rolling_lifetime(
    start: Start, clock: Clock
) -> None:
    party = start(refresh_token_seconds=3600, refresh_token_rolling_seconds=5400)
    first = (await party.obtain_tokens())["refresh_token"]
    clock.advance(seconds=3000)
    second = (await party.refresh(first)).json()["refresh_token"]

    clock.advance(seconds=2400)

    assert refused(await party.refresh(second), "invalid_grant")


async def test_a_refresh_may_ask_for_less_but_not_for_more(party: RelyingParty) -> None:
    first = await party.obtain_tokens(scope="openid todo_api:read")

    refusal = await party.refresh(first["refresh_token"], scope="todo_api:read todo_api:write")
    narrowed = await party.refresh(first["refresh_token"], scope="todo_api:read")

    assert refused(refusal, "invalid_scope")
    assert narrowed.json()["scope"] == "todo_api:read"
    restored = await party.refresh(narrowed.json()["refresh_token"])
    assert restored.json()["scope"] == "openid todo_api:read"


async def test_a_refresh_counts_as_use_of_the_session(party: RelyingParty, clock: Clock) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]
    clock.advance(days=20)
    refresh_token = (await party.refresh(refresh_token)).json()["refresh_token"]
    clock.advance(days=20)

    assert (await party.refresh(refresh_token)).status_code == httpx.codes.OK


async def test_an_unknown_refresh_token_is_refused(party: RelyingParty) -> None:
    assert refused(await party.refresh("made-up"), "invalid_grant")
    assert refused(await party.post("token", grant_type="refresh_token"), "invalid_request")


async def test_when_the_session_ends_elsewhere_a_refresh_is_refused(party: RelyingParty) -> None:
    alices = (await party.obtain_tokens())["refresh_token"]
    party.browser.cookies.clear()
    bobs = (await party.obtain_tokens(username="bob"))["refresh_token"]

    party.simulator.end_sessions_of("alice")

    assert refused(await party.refresh(alices), "invalid_grant")
    assert (await party.refresh(bobs)).status_code == httpx.codes.OK


async def test_requests_are_counted_by_grant_type(party: RelyingParty) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]
    await party.refresh(refresh_token)
    await party.refresh(refresh_token)
    await party.refresh("made-up", grant_type="made-up")

    assert party.simulator.token_requests == {"authorization_code": 1, "refresh_token": 2}


async def test_no_secret_of_a_whole_flow_reaches_the_log(party: RelyingParty) -> None:
    with capture_logs() as logs:
        code = await party.obtain_code()
        tokens = (await party.exchange(code)).json()
        await party.refresh(tokens["refresh_token"])
        await party.signoff(id_token_hint=tokens["id_token"])

    assert len(logs) == 5
    secrets = [code, CODE_VERIFIER, party.credentials[1], "the-state", "the-nonce"]
    secrets += [tokens[kind] for kind in ("access_token", "refresh_token", "id_token")]
    for secret in secrets:
        assert secret not in str(logs)


async def test_state_is_bounded_and_the_oldest_session_goes_first(start: Start) -> None:
    party = start(max_entries=2)
    tokens = []
    for _ in range(3):
        party.browser.cookies.clear()
        tokens.append((await party.obtain_tokens())["refresh_token"])

    assert len(party.simulator.sessions) == 2
    assert refused(await party.refresh(tokens[0]), "invalid_grant")
    assert (await party.refresh(tokens[2])).status_code == httpx.codes.OK
