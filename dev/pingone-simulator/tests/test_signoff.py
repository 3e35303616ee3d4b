"""/signoff: the end of a session, and of everything that hangs on it."""

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from pingone_simulator.signing_key import generate_signing_key
from pingone_simulator.testing import Clock, RelyingParty, redirect_query

TARGET = "http://localhost:8080/account"


async def test_after_signoff_a_refresh_is_an_invalid_grant(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens()

    await party.signoff(id_token_hint=tokens["id_token"])

    refresh = await party.refresh(tokens["refresh_token"])
    assert refresh.status_code == httpx.codes.BAD_REQUEST
    assert refresh.json()["error"] == "invalid_grant"
    assert not party.simulator.is_access_token_live(tokens["access_token"])


async def test_after_signoff_the_browser_must_sign_on_again(party: RelyingParty) -> None:
    await party.obtain_tokens()

    response = await party.signoff()

    assert response.status_code == httpx.codes.OK
    assert "signed off" in response.text
    assert "ST" not in party.browser.cookies
    assert redirect_query(await party.authorize(prompt="none"))["error"] == "login_required"


async def test_a_hint_ends_its_session_without_the_browsers_cookie(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens()
    party.browser.cookies.clear()

    await party.signoff(id_token_hint=tokens["id_token"])

    assert not party.simulator.is_family_live(tokens["refresh_token"])


async def test_signoff_ends_no_other_session(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens()
    party.browser.cookies.clear()
    others = await party.obtain_tokens(username="bob")
    party.browser.cookies.clear()

    await party.signoff(id_token_hint=tokens["id_token"])

    assert party.simulator.is_family_live(others["refresh_token"])


async def test_an_expired_id_token_is_still_a_hint(party: RelyingParty, clock: Clock) -> None:
    tokens = await party.obtain_tokens()
    clock.advance(days=2)

    await party.signoff(id_token_hint=tokens["id_token"])

    assert not party.simulator.is_family_live(tokens["refresh_token"])


async def test_signoff_returns_to_a_registered_uri_with_state(party: RelyingParty) -> None:
    id_token = (await party.obtain_tokens())["id_token"]

    response = await party.signoff(
        id_token_hint=id_token, post_logout_redirect_uri=TARGET, state="s"
    )

    assert response.headers["location"] == f"{TARGET}?state=s"


async def test_signoff_returns_to_a_registered_uri_without_state(party: RelyingParty) -> None:
    id_token = (await party.obtain_tokens())["id_token"]

    response = await party.signoff(id_token_hint=id_token, post_logout_redirect_uri=TARGET)

    assert response.headers["location"] == TARGET


async def test_signoff_to_an_unregistered_uri_ends_on_a_page_and_ends_no_session(
    party: RelyingParty,
) -> None:
    tokens = await party.obtain_tokens()

    response = await party.signoff(
        id_token_hint=tokens["id_token"], post_logout_redirect_uri="https://evil.example/"
    )

    assert response.status_code == httpx.codes.BAD_REQUEST
    assert "location" not in response.headers
    assert party.simulator.is_family_live(tokens["refresh_token"])


async def test_signoff_redirects_nowhere_without_a_hint(party: RelyingParty) -> None:
    response = await party.signoff(post_logout_redirect_uri=TARGET)

    assert response.status_code == httpx.codes.BAD_REQUEST


@pytest.mark.parametrize("hint", ["made-up", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "é.ü.ß"])
async def test_a_hint_that_was_not_issued_here_ends_on_a_page(
    party: RelyingParty, hint: str
) -> None:
    response = await party.signoff(id_token_hint=hint)

    assert response.status_code == httpx.codes.BAD_REQUEST
    assert response.headers["content-type"].startswith("text/html")


async def test_a_hint_signed_by_another_key_ends_on_a_page(party: RelyingParty) -> None:
    claims = {"iss": party.issuer, "aud": party.settings.client_id, "sid": "any"}
    forged = jwt.encode({"alg": "RS256"}, claims, generate_signing_key())

    assert (await party.signoff(id_token_hint=forged)).status_code == httpx.codes.BAD_REQUEST


@pytest.mark.parametrize(
    "changes", [{"iss": "https://other.example"}, {"aud": ["https://todo.api.com"]}, {"sid": None}]
)
async def test_a_token_that_is_no_id_token_of_this_client_is_no_hint(
    party: RelyingParty, signing_key: RSAKey, changes: dict[str, object]
) -> None:
    claims = {"iss": party.issuer, "aud": party.settings.client_id, "sid": "any"} | changes
    token = jwt.encode({"alg": "RS256"}, claims, signing_key)

    assert (await party.signoff(id_token_hint=token)).status_code == httpx.codes.BAD_REQUEST
