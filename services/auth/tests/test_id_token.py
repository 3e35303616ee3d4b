"""What PingOne's token response must prove before anybody gets a grant."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest
from auth_answers import code_at_client, count_rows, error_at_client
from auth_harness import API, AuthUnderTest, PassOn
from joserfc import jws, jwt
from joserfc.jwk import RSAKey

from auth_server.storage.tables import consents, grants, upstream_tokens
from pingone_simulator.people import PEOPLE

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_ONE_SERVER = pytest.mark.asyncio(loop_scope="module")

ALICE, BOB = PEOPLE
STRANGERS_KEY = RSAKey.generate_key(2048, auto_kid=True)

Claims = dict[str, Any]
Answer = dict[str, Any]


def change_answer(auth: AuthUnderTest, change: Callable[[Answer], object]) -> None:
    """PingOne answers /token as it does, but changed in place."""

    async def intercept(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        response = await pass_on(request)
        if not request.url.path.endswith("/token"):
            return response
        answer = json.loads(await response.aread())
        change(answer)
        return httpx2.Response(200, json=answer)

    auth.pingone.intercept = intercept


def sign(auth: AuthUnderTest, claims: Claims, **header: str) -> str:
    """Sign as PingOne does, whatever the claims are."""
    key = auth.simulator.tokens._key
    protected = {"alg": "RS256", "kid": key.kid} | header
    payload = json.dumps(claims).encode()
    return jws.serialize_compact(protected, payload, key, algorithms=["RS256", "PS256"])


def claims_of(token: str) -> Claims:
    claims: Claims = json.loads(jws.extract_compact(token.encode()).payload)
    return claims


def change_claims(auth: AuthUnderTest, token: str, changes: Claims) -> None:
    """PingOne signs `token` (id_token or access_token) with changed claims; None takes one out."""

    def change(answer: Answer) -> None:
        claims = claims_of(answer[token]) | changes
        answer[token] = sign(auth, {k: v for k, v in claims.items() if v is not None})

    change_answer(auth, change)


async def sign_on(auth: AuthUnderTest) -> httpx.Response:
    """The answer at the client, after alice allowed the access and signed on."""
    browser = auth.new_browser()
    to_pingone = await auth.decide(browser, await auth.authorize(browser))
    return await auth.back(browser, await auth.sign_on(browser, to_pingone))


async def username(auth: AuthUnderTest, answer: httpx.Response) -> str:
    handles = (await auth.exchange(code_at_client(answer))).json()
    name: str = (await auth.introspect(handles["access_token"])).json()["username"]
    return name


async def assert_refused(auth: AuthUnderTest, error: str = "server_error") -> None:
    answer = await sign_on(auth)
    assert error_at_client(answer) == error
    for table in (grants, upstream_tokens, consents):
        assert await count_rows(auth, table) == 0


@ON_SQLITE
async def test_what_the_tampering_below_leaves_alone_is_accepted(auth: AuthUnderTest) -> None:
    change_claims(auth, "id_token", {})
    assert await username(auth, await sign_on(auth)) == "Alice Archer"


@pytest.mark.standard(
    "RFC 9700 4.5.3.2",
    "OIDC Core 3.1.3.7 iss",
    "OIDC Core 3.1.3.7 aud, azp",
    "OIDC Core 3.1.3.7 exp, iat",
    "OIDC Core 3.1.3.7 nonce",
)
@ON_ONE_SERVER
@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ""},
        {"nonce": ["another"]},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": []},
        {"aud": {"any": "thing"}},
        {"azp": "another-client"},
        {"iss": "http://localhost:9080/another/as"},
        {"iss": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 1},
        {"iat": None},
        {"iat": 99_999_999_999},
        {"nbf": 99_999_999_999},
        {"sub": None},
        {"sub": ""},
        {"sub": 17},
        {"sub": BOB.sub},
    ],
    ids=str,
)
async def test_an_id_token_with_a_wrong_claim_makes_no_grant(
    shared: AuthUnderTest, changes: Claims
) -> None:
    change_claims(shared, "id_token", changes)
    await assert_refused(shared)


@pytest.mark.standard("OIDC Core 3.1.3.7 aud, azp")
@ON_SQLITE
async def test_an_id_token_for_several_audiences_must_name_us_as_its_party(
    auth: AuthUnderTest,
) -> None:
    ours = auth.resources.settings.mcp_server_client_id
    change_claims(auth, "id_token", {"aud": [ours, "another"], "azp": None})
    await assert_refused(auth)
    change_claims(auth, "id_token", {"aud": [ours, "another"], "azp": ours})
    code_at_client(await sign_on(auth))


@pytest.mark.standard("OIDC Core 3.1.3.7 exp, iat")
@ON_SQLITE
async def test_an_id_token_may_expire_only_within_the_leeway(auth: AuthUnderTest) -> None:
    now = int(auth.clock().timestamp())
    change_claims(auth, "id_token", {"exp": now - 31})
    await assert_refused(auth)
    change_claims(auth, "id_token", {"exp": now - 29})
    code_at_client(await sign_on(auth))


def unsigned(claims: Claims, algorithm: str = "none") -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])


def signed_with_the_public_key(auth: AuthUnderTest, claims: Claims) -> str:
    # A verifier that lets the token choose its algorithm takes the public key for a shared secret.
    signed = unsigned(claims, "HS256")
    public = auth.simulator.tokens._key.as_pem(private=False)
    mac = hmac.digest(public, signed.removesuffix(".").encode(), "sha256")
    return signed + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def signed_by_a_stranger(auth: AuthUnderTest, claims: Claims) -> str:
    header = {"alg": "RS256", "kid": auth.simulator.tokens._key.kid}
    return jwt.encode(header, claims, STRANGERS_KEY)


@pytest.mark.standard("OIDC Core 3.1.3.7 signature")
@ON_ONE_SERVER
@pytest.mark.parametrize("token", ["id_token", "access_token"])
@pytest.mark.parametrize(
    "forge",
    [
        lambda _auth, claims: unsigned(claims),
        signed_with_the_public_key,
        signed_by_a_stranger,
        lambda auth, claims: sign(auth, claims, kid="unknown"),
        lambda auth, claims: sign(auth, claims)[:-8] + "AAAAAAAA",
        lambda auth, claims: sign(auth, claims, alg="PS256"),
        lambda auth, claims: sign(auth, claims | {"padding": "x" * 20_000}),
        lambda _auth, _claims: "not-a-jwt",
        lambda _auth, _claims: "\u00fc.\u00fc.\u00fc",
        lambda _auth, _claims: "W10.e30.AAAA",
        lambda _auth, _claims: "",
        lambda _auth, _claims: None,
        lambda _auth, _claims: 17,
    ],
    ids=[
        *["unsigned", "signed with the public key", "signed by a stranger", "unknown kid"],
        *["damaged", "PS256", "too long", "no JWT", "no ASCII", "no header", "empty", "null", "17"],
    ],
)
async def test_a_forged_token_makes_no_grant(
    shared: AuthUnderTest, token: str, forge: Callable[[AuthUnderTest, Claims], str | None]
) -> None:
    def change(answer: Answer) -> None:
        answer[token] = forge(shared, claims_of(answer[token]))

    change_answer(shared, change)
    await assert_refused(shared)


@pytest.mark.standard("RFC 8707 2 as client", "RFC 9700 4.10.2")
@ON_ONE_SERVER
@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["https://api.pingone.com"]},
        {"aud": f"{API}/"},
        {"aud": None},
        {"sub": BOB.sub},
        {"sub": None},
        {"iss": "http://localhost:9080/another/as"},
        {"exp": 1},
        {"exp": None},
    ],
    ids=str,
)
async def test_an_access_token_that_the_api_would_refuse_makes_no_grant(
    shared: AuthUnderTest, changes: Claims
) -> None:
    change_claims(shared, "access_token", changes)
    await assert_refused(shared)


@pytest.mark.standard("OIDC Core 3.1.3.5")
@ON_ONE_SERVER
@pytest.mark.parametrize(
    "changes",
    [
        {"id_token": None},
        {"access_token": None},
        {"token_type": "DPoP"},
        {"token_type": None},
        {"expires_in": None},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": "3600"},
        {"expires_in": True},
        {"expires_in": 1.5},
        {"expires_in": [3600]},
        {"expires_at": []},
        {"scope": 17},
        {"refresh_token": 17},
        {"refresh_token": ""},
        {"refresh_token": "\u00e9"},
        {"refresh_token": "two\nlines"},
        {"access_token": "\u00e9"},
        {"error": "invalid_grant"},
        {"error": {"any": "thing"}},
    ],
    ids=str,
)
async def test_a_token_response_of_another_shape_makes_no_grant(
    shared: AuthUnderTest, changes: Answer
) -> None:
    change_answer(shared, lambda answer: answer.update(changes))
    await assert_refused(shared)


@ON_ONE_SERVER
async def test_an_account_without_the_permissions_is_denied_and_its_tokens_are_revoked(
    shared: AuthUnderTest,
) -> None:
    change_answer(shared, lambda answer: answer.update(scope="openid profile"))
    await assert_refused(shared, "access_denied")
    await shared.settle()
    assert shared.pingone.requests[-1].url.path.endswith("/revoke")
