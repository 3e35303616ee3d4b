"""Discovery and the key set: what a client learns before anything else."""

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from pingone_simulator.testing import RelyingParty


async def test_discovery_names_the_issuer_exactly_and_only_endpoints_that_answer(
    party: RelyingParty,
) -> None:
    response = await party.browser.get(f"{party.issuer}/.well-known/openid-configuration")

    document = response.json()
    assert document["issuer"] == party.issuer
    assert document["code_challenge_methods_supported"] == ["S256"]
    endpoints = {k: v for k, v in document.items() if k.endswith(("_endpoint", "_uri"))}
    assert set(endpoints) == {
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "end_session_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
    }
    for url in endpoints.values():
        assert url.startswith(party.issuer)
        assert (await party.browser.get(url)).status_code != httpx.codes.NOT_FOUND


async def test_the_key_set_holds_public_members_only(party: RelyingParty) -> None:
    [key] = (await party.browser.get(f"{party.issuer}/jwks")).json()["keys"]

    assert set(key) == {"kty", "use", "alg", "kid", "n", "e"}


async def test_the_key_set_verifies_an_access_token_by_its_kid(party: RelyingParty) -> None:
    access_token = (await party.obtain_tokens())["access_token"]
    jwks = (await party.browser.get(f"{party.issuer}/jwks")).json()

    token = jwt.decode(access_token, KeySet.import_key_set(jwks), algorithms=["RS256"])

    assert token.header == {"alg": "RS256", "typ": "JWT", "kid": jwks["keys"][0]["kid"]}


async def test_nothing_is_served_outside_the_environment_but_health(party: RelyingParty) -> None:
    origin = party.issuer.removesuffix(party.settings.issuer_path)

    assert (await party.browser.get(f"{origin}/livez")).status_code == httpx.codes.OK
    for path in ("/.well-known/openid-configuration", "/as/token", "/docs", "/openapi.json"):
        response = await party.browser.get(f"{origin}{path}")
        assert response.status_code == httpx.codes.NOT_FOUND


async def test_every_response_carries_a_correlation_id_of_its_own(party: RelyingParty) -> None:
    first = await party.browser.get(f"{party.issuer}/jwks")
    second = await party.browser.get(f"{party.issuer}/jwks")

    assert first.headers["correlation-id"] != second.headers["correlation-id"]


def test_the_key_of_the_tests_is_strong_enough_to_be_real(signing_key: RSAKey) -> None:
    assert signing_key.private_key is not None
    assert signing_key.private_key.key_size >= 2048
