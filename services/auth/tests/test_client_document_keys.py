"""A client that publishes itself and its keys: private_key_jwt, as a hosted client does it."""

from typing import Any

import pytest
from auth_back_channel import refusal
from auth_harness import ISSUER, AuthUnderTest
from joserfc import jwt
from joserfc.jwk import RSAKey

from auth_server.domain.client_assertions import ASSERTION_TYPE

URL = "https://chatgpt.example/oauth/client.json"
JWKS_URI = "https://chatgpt.example/oauth/jwks.json"
CALLBACK = "https://chatgpt.example/connector_platform_oauth_redirect"
KEY = RSAKey.generate_key(2048, auto_kid=True)
OTHER = RSAKey.generate_key(2048, auto_kid=True)


def document(**changes: Any) -> dict[str, Any]:
    return {
        "client_id": URL,
        "client_name": "ChatGPT",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "RS256",
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "none"],
        "jwks_uri": JWKS_URI,
        "logo_uri": "https://chatgpt.example/logo.png",
    } | changes


def keys(*published: RSAKey) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in published]}


def proof(auth: AuthUnderTest, key: RSAKey, jti: str) -> dict[str, Any]:
    """The parameters that prove the client at /token."""
    now = int(auth.clock().timestamp())
    claims = {"iss": URL, "sub": URL, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti}
    assertion = jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


async def code_of(auth: AuthUnderTest) -> str:
    return await auth.obtain_code(client_id=URL, redirect_uri=CALLBACK)


async def exchange(auth: AuthUnderTest, **parameters: Any) -> Any:
    return await auth.exchange(
        await code_of(auth), redirect_uri=CALLBACK, client_id=URL, **parameters
    )


@pytest.mark.standard("CIMD draft 8.2")
@pytest.mark.parametrize("inline", [True, False])
async def test_a_client_that_publishes_its_keys_signs_in_with_them_and_not_without(
    auth: AuthUnderTest, inline: bool
) -> None:
    auth.published.publish(JWKS_URI, keys(KEY))
    content = document(jwks_uri=None, jwks=keys(KEY)) if inline else document()
    auth.published.publish(URL, {k: v for k, v in content.items() if v is not None})
    assert refusal(await exchange(auth), 401) == "invalid_client"
    assert refusal(await exchange(auth, **proof(auth, OTHER, "1")), 401) == "invalid_client"
    answer = await exchange(auth, **proof(auth, KEY, "2"))
    assert answer.status_code == 200, answer.text
    refreshed = await auth.refresh(
        answer.json()["refresh_token"], client_id=URL, **proof(auth, KEY, "3")
    )
    assert refreshed.status_code == 200, refreshed.text


async def test_keys_that_the_document_no_longer_has_stop_working_when_it_is_stale(
    auth: AuthUnderTest,
) -> None:
    auth.published.publish(URL, document(jwks=keys(KEY)) | {"jwks_uri": None})
    good = await exchange(auth, **proof(auth, KEY, "1"))
    auth.published.publish(URL, document(jwks=keys(OTHER)) | {"jwks_uri": None})
    auth.clock.advance(hours=2)
    handle = good.json()["refresh_token"]
    old = await auth.refresh(handle, client_id=URL, **proof(auth, KEY, "2"))
    assert refusal(old, 401) == "invalid_client"
    new = await auth.refresh(handle, client_id=URL, **proof(auth, OTHER, "3"))
    assert new.status_code == 200, new.text


@pytest.mark.standard("CIMD draft 4.1 keys")
async def test_a_key_that_is_not_public_makes_the_document_unusable(auth: AuthUnderTest) -> None:
    private = {"keys": [KEY.as_dict(private=True)]}
    auth.published.publish(URL, document(jwks=private) | {"jwks_uri": None})
    page = await auth.authorize(auth.new_browser(), client_id=URL, redirect_uri=CALLBACK)
    assert page.status_code == 401
    assert "is not valid" in page.text
