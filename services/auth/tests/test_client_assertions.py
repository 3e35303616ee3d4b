"""private_key_jwt (RFC 7523): a client proves itself with a key of its own."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from auth_back_channel import refusal
from auth_harness import ISSUER, REDIRECT_URI, AuthUnderTest, auth_under_test
from client_assertions import (
    EC,
    OTHER_EC,
    RSA,
    key_set,
    presented,
    proof,
    register_with_keys,
    right_claims,
    signed,
)
from joserfc.jwk import Key, RSAKey

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
JWKS_URI = "https://chatgpt.example/oauth/jwks.json"


@pytest.fixture
async def unlimited(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """For long tables of failures, which would soon be told to come back later."""
    async with auth_under_test(database_url, auth_rate_limits=False) as auth:
        yield auth


async def ask(under_test: AuthUnderTest, form: dict[str, str], **options: Any) -> httpx.Response:
    """A request that succeeds for every proven client: the revocation of nothing."""
    return await under_test.anyone.post("/revoke", data={"token": "nothing", **form}, **options)


def unproven(response: httpx.Response) -> str:
    """The one refusal of a client that could not prove itself."""
    assert response.headers["www-authenticate"] == 'Basic realm="mcp-pingone", charset="UTF-8"'
    assert response.json()["error_description"] == "client authentication failed"
    return refusal(response, 401)


def hs256(secret: bytes, signing_input: str) -> str:
    """A signature as whoever takes a public key for a shared secret would make it."""
    signature = hmac.digest(secret, signing_input.encode(), "sha256")
    return urlsafe_b64encode(signature).rstrip(b"=").decode()


@pytest.mark.standard("RFC 7523 2.2", "RFC 6749 2.3.2", "RFC 9700 2.5", "RFC 7591 2 jwks")
@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256")])
async def test_a_client_with_a_key_signs_in_refreshes_and_revokes(
    auth: AuthUnderTest, key: Key, algorithm: str
) -> None:
    auth.client_id = await register_with_keys(auth, key)
    code = await auth.obtain_code()

    def fresh() -> dict[str, Any]:
        return proof(auth, auth.client_id, key, algorithm=algorithm)

    handles = (await auth.exchange(code, **fresh())).json()
    renewed = (await auth.refresh(handles["refresh_token"], **fresh())).json()
    assert await auth.is_active(renewed["access_token"])
    assert (await ask(auth, fresh() | {"token": renewed["access_token"]})).status_code == 200
    assert not await auth.is_active(renewed["access_token"])


@pytest.mark.standard("RFC 7523 2.2 client_id")
@ON_SQLITE
async def test_the_assertion_names_the_client_if_the_form_does_not(auth: AuthUnderTest) -> None:
    client_id = await register_with_keys(auth)
    other = await register_with_keys(auth)
    for named in (None, client_id):
        assertion = signed(right_claims(auth, client_id))
        assert (await ask(auth, presented(assertion, named))).status_code == 200, named
    assertion = signed(right_claims(auth, client_id))
    for named in (other, auth.client_id):
        assert unproven(await ask(auth, presented(assertion, named))) == "invalid_client", named
    # Nothing was spent on somebody else's name.
    assert (await ask(auth, presented(assertion))).status_code == 200


@pytest.mark.standard("RFC 7523 3 audience")
@ON_SQLITE
async def test_what_may_differ_between_clients_is_accepted(auth: AuthUnderTest) -> None:
    client_id = await register_with_keys(auth)
    now = auth.clock().timestamp()
    for claims in (
        {"aud": ISSUER},
        {"aud": f"{ISSUER}/token"},
        {"exp": now + 330},
        {"exp": now - 29.5},
        {"exp": now + 10.25, "iat": None},
        {"iat": int(now) + 30, "nbf": int(now) + 30},
        {"jti": "j" * 255, "azp": "anything", "scope": ["unknown"]},
    ):
        assertion = signed(right_claims(auth, client_id, **claims))
        response = await ask(auth, presented(assertion))
        assert response.status_code == 200, (claims, response.text)
    for header in (
        {"typ": None},
        {"typ": "jwt"},
        {"typ": "client-authentication+jwt"},
        {"kid": None},
        {"x5t": "dGh1bWJwcmludA", "unknown": True},
        # What comes along as a key is not looked at, so that it neither helps nor harms.
        {"jku": "https://evil.example/jwks", "x5c": ["bm90IGEgY2VydGlmaWNhdGU=" * 60]},
    ):
        assertion = signed(right_claims(auth, client_id), **header)
        response = await ask(auth, presented(assertion))
        assert response.status_code == 200, (header, response.text)
    assert auth.published.fetched == []


@pytest.mark.standard("RFC 7523 3 claims", "RFC 7523 3 audience", "RFC 7523 3 jti", "RFC 7523 3.2")
@ON_SQLITE
async def test_an_assertion_with_a_wrong_claim_is_refused(unlimited: AuthUnderTest) -> None:
    auth = unlimited
    client_id = await register_with_keys(auth)
    other = await register_with_keys(auth)
    now = int(auth.clock().timestamp())
    wrong: dict[str, tuple[Any, ...]] = {
        "iss": (None, "", other, 7, [client_id]),
        "sub": (None, "", 7, [client_id], f"{client_id} ", "\x00", "\ud800", "s" * 2001),
        "aud": (
            *(None, "", [], [ISSUER], [ISSUER, f"{ISSUER}/token"], [f"{ISSUER}/token"]),
            *([ISSUER, "https://evil.example"], "https://evil.example", f"{ISSUER}/"),
            *(f"{ISSUER}/revoke", f"{ISSUER}/token/", ISSUER.upper(), 7, {"aud": ISSUER}),
        ),
        "exp": (
            *(None, 0, now - 30, now - 3600, now + 331, now + 10**9, 10**400, str(now + 60)),
            *(True, [now + 60], float("nan"), float("inf"), float("-inf")),
        ),
        "iat": (now + 31, now + 10**400, str(now), True, float("nan"), [now]),
        "nbf": (now + 31, str(now), False, float("inf"), {}),
        "jti": (None, "", 7, ["a"], "j" * 256, "NUL\x00", "line\nbreak", "\ud800"),
    }
    for name, value in ((name, value) for name, values in wrong.items() for value in values):
        assertion = signed(right_claims(auth, client_id, **{name: value}))
        response = await ask(auth, presented(assertion, client_id))
        assert unproven(response) == "invalid_client", (name, value)


@pytest.mark.standard("RFC 7523 3 signature", "RFC 7523 5")
@ON_SQLITE
async def test_an_assertion_with_a_wrong_header_or_signature_is_refused(
    unlimited: AuthUnderTest,
) -> None:
    auth = unlimited
    client_id = await register_with_keys(auth, RSA, EC)
    await register_with_keys(auth, OTHER_EC)
    public_key = RSA.as_pem(private=False)
    attacker = RSAKey.generate_key(2048, {"kid": "rsa-1"})

    def assertion(key: Key = EC, algorithm: str = "ES256", **header: Any) -> str:
        return signed(right_claims(auth, client_id), key, algorithm, **header)

    confused = assertion(RSA, "RS256", alg="HS256").rpartition(".")[0]
    head, payload, signature = assertion().split(".")
    refused = {
        "HS256 with the public key": f"{confused}.{hs256(public_key, confused)}",
        "another client's key": assertion(OTHER_EC),
        "another client's key under this one's kid": assertion(OTHER_EC, kid=EC.kid),
        "an attacker's key under this one's kid": assertion(attacker, "RS256"),
        "an unknown kid": assertion(kid="unknown"),
        "the kid of the other key": assertion(kid=RSA.kid),
        "a kid that is no text": assertion(kid="k" * 256),
        "a key in the header": assertion(OTHER_EC, jwk=OTHER_EC.as_dict(private=False), kid=None),
        "a type of another purpose": assertion(typ="at+jwt"),
        "the type of a DPoP proof": assertion(typ="dpop+jwt"),
        "no signature": f"{head}.{payload}.",
        "half a signature": f"{head}.{payload}.{signature[:40]}",
        "another payload": f"{head}.{payload[:-4]}AAAA.{signature}",
        "two parts": f"{head}.{payload}",
        "five parts": f"{head}.{payload}.{signature}.x.y",
        "nothing of a token": "assertion",
        "no ASCII": f"{head}.{payload}.é",
        "too long": assertion(padding="p" * 8192),
        "the algorithm none": f"eyJhbGciOiJub25lIn0.{payload}.",
        "a header that is a list": f"WyJhbGciXQ.{payload}.{signature}",
        "a header that is a text": f"ImFsZyI.{payload}.{signature}",
        "claims that are a list": signed(b"[]"),
        "claims that are no JSON": signed(b"{"),
        "claims that are deep": signed(b"[" * 5000),
        "claims with a number of 5000 digits": signed(b'{"exp":' + b"1" * 5000 + b"}"),
    }
    for name, value in refused.items():
        response = await ask(auth, presented(value, client_id))
        assert unproven(response) == "invalid_client", name
    assert (await ask(auth, presented(assertion()))).status_code == 200


@pytest.mark.standard("RFC 7523 5")
@ON_SQLITE
async def test_an_extension_that_is_not_understood_is_refused(auth: AuthUnderTest) -> None:
    client_id = await register_with_keys(auth)
    for header in ({"crit": ["b64"], "b64": True}, {"crit": ["exp"], "exp": 1}, {"b64": True}):
        assertion = signed(right_claims(auth, client_id), **header)
        assert unproven(await ask(auth, presented(assertion))) == "invalid_client", header


@pytest.mark.standard("RFC 6749 2.3", "RFC 7523 2.2 one method")
@ON_SQLITE
async def test_an_assertion_beside_anything_else_is_an_invalid_request(auth: AuthUnderTest) -> None:
    client_id = await register_with_keys(auth)
    form = proof(auth, client_id)
    credential = (client_id, "secret")
    assert refusal(await ask(auth, form | {"client_secret": "secret"})) == "invalid_request"
    assert refusal(await ask(auth, form, auth=credential)) == "invalid_request"
    for name in form:
        without = {one: value for one, value in form.items() if one != name}
        assert refusal(await ask(auth, without)) == "invalid_request", name
    twice: Any = form | {"client_assertion": [form["client_assertion"]] * 2}
    assert refusal(await ask(auth, twice)) == "invalid_request"
    for kind in ("urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "jwt-bearer"):
        response = await ask(auth, form | {"client_assertion_type": kind})
        assert refusal(response, 401) == "invalid_client"
    assert (await ask(auth, form)).status_code == 200


@pytest.mark.standard("OAuth 2.1 2.4")
@ON_SQLITE
async def test_a_client_uses_the_method_that_it_registered_only(auth: AuthUnderTest) -> None:
    client_id = await register_with_keys(auth)
    assert unproven(await ask(auth, {"client_id": client_id})) == "invalid_client"
    secret = {"client_id": client_id, "client_secret": ""}
    assert unproven(await ask(auth, secret)) == "invalid_client"
    secret = {"client_id": client_id, "client_secret": "made-up"}
    assert unproven(await ask(auth, secret)) == "invalid_client"
    assert unproven(await ask(auth, {}, auth=(client_id, "made-up"))) == "invalid_client"
    for method in ("none", "client_secret_basic", "client_secret_post"):
        other = (await auth.register(token_endpoint_auth_method=method))["client_id"]
        assert unproven(await ask(auth, proof(auth, other))) == "invalid_client", method


@pytest.mark.standard("RFC 7591 2 token_endpoint_auth_signing_alg")
@ON_SQLITE
async def test_a_client_signs_with_the_algorithm_that_it_registered_only(
    auth: AuthUnderTest,
) -> None:
    client_id = await register_with_keys(auth, RSA, token_endpoint_auth_signing_alg="PS256")
    assert (await ask(auth, proof(auth, client_id, RSA, algorithm="PS256"))).status_code == 200
    other = proof(auth, client_id, RSA, algorithm="RS256")
    assert unproven(await ask(auth, other)) == "invalid_client"


@ON_SQLITE
async def test_configured_clients_may_have_keys_of_their_own(database_url: str) -> None:
    entry: dict[str, Any] = {
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["authorization_code", "refresh_token"],
    }
    configured: list[dict[str, Any]] = [
        {"client_id": "with a set", "jwks": key_set(EC), **entry},
        {"client_id": "with a URI", "jwks_uri": JWKS_URI, **entry},
    ]
    async with auth_under_test(database_url, auth_clients=json.dumps(configured)) as auth:
        auth.published.publish(JWKS_URI, key_set(EC))
        for item in configured:
            auth.client_id = item["client_id"]
            code = await auth.obtain_code()
            response = await auth.exchange(code, **proof(auth, auth.client_id))
            assert response.status_code == 200, response.text
