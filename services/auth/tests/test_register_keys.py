"""`POST /register` of a client with a key of its own (RFC 7591 2)."""

import json
from typing import Any

import httpx
import pytest
from auth_back_channel import refusal
from auth_harness import REDIRECT_URI, AuthUnderTest
from client_assertions import EC, RSA, key_set

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
JWKS_URI = "https://client.example/jwks.json"


async def post(auth: AuthUnderTest, **document: Any) -> httpx.Response:
    """Register a client with private_key_jwt, unless told otherwise."""
    members = {
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "private_key_jwt",
        **document,
    }
    # Not httpx's own encoder: it refuses what a hostile client may well send.
    return await auth.anyone.post(
        "/register", content=json.dumps(members), headers={"content-type": "application/json"}
    )


@pytest.mark.standard("RFC 7591 2 jwks", "RFC 7591 2 token_endpoint_auth_signing_alg")
async def test_the_answer_says_which_keys_and_algorithm_were_registered(
    auth: AuthUnderTest,
) -> None:
    by_set = (await post(auth, jwks=key_set(RSA, EC))).json()
    assert by_set["jwks"] == key_set(RSA, EC)
    assert by_set["token_endpoint_auth_method"] == "private_key_jwt"
    by_uri = (await post(auth, jwks_uri=JWKS_URI, token_endpoint_auth_signing_alg="RS256")).json()
    assert by_uri["jwks_uri"] == JWKS_URI
    assert by_uri["token_endpoint_auth_signing_alg"] == "RS256"
    for answer in (by_set, by_uri):
        assert not answer.keys() & {"client_secret", "client_secret_expires_at"}
    async with auth.resources.database.reading() as read:
        record = await read.clients.record(by_uri["client_id"])
    assert record is not None
    assert record.client.secret_digest is None
    # Nothing is fetched until somebody has to be proven.
    assert auth.published.fetched == []


@pytest.mark.standard("RFC 7591 2 jwks", "RFC 7591 3.2.2")
@ON_SQLITE
async def test_keys_that_cannot_be_used_are_refused(auth: AuthUnderTest) -> None:
    keys = key_set(EC)
    algorithms: list[Any] = ["none", "HS256", "RS1", "es256", "", 7, ["ES256"], {}]
    uris: list[Any] = [
        *("http://client.example/jwks", "https://", "https:client.example", "jwks", "", 7, []),
        *("https://user:secret@client.example/jwks", "https://client.example/#keys"),
        *("https://client.example/" + "j" * 2000, "https://client.example/\ud800"),
        *("file:///etc/jwks", "data:application/json,{}", "https://client.example:0/"),
        # Nothing is fetched from such URLs: it is said now, to whoever registers.
        *("https://client.example:8443/jwks", "https://localhost/jwks", "https://10.0.0.1/jwks"),
    ]
    refused: list[dict[str, Any]] = [
        {},
        {"jwks": keys, "jwks_uri": JWKS_URI},
        {"jwks": {}},
        {"jwks": {"keys": []}},
        {"jwks": keys["keys"]},
        {"jwks": "keys"},
        {"jwks": {"keys": [EC.as_dict(private=True)]}},
        {"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}},
        {"jwks": {"keys": keys["keys"] * 21}},
        {"jwks": keys, "token_endpoint_auth_signing_alg": "RS256"},
        *({"jwks": keys, "token_endpoint_auth_signing_alg": one} for one in algorithms),
        *({"jwks_uri": uri} for uri in uris),
    ]
    for document in refused:
        assert refusal(await post(auth, **document)) == "invalid_client_metadata", document


@pytest.mark.standard("RFC 7591 2 unknown metadata")
@ON_SQLITE
async def test_what_is_said_of_keys_beside_another_method_is_ignored(auth: AuthUnderTest) -> None:
    for method in ("none", "client_secret_basic", "client_secret_post"):
        for said in (
            {"jwks": key_set(EC)},
            {"jwks": "nonsense"},
            {"jwks_uri": "http://client.example/"},
            {"token_endpoint_auth_signing_alg": "HS256"},
            {"software_statement": "eyJhbGciOiJub25lIn0.e30."},
        ):
            response = await post(auth, token_endpoint_auth_method=method, **said)
            assert response.status_code == 201, response.text
            assert not response.json().keys() & said.keys()
    both = {"jwks": key_set(EC), "jwks_uri": JWKS_URI}
    response = await post(auth, token_endpoint_auth_method="none", **both)
    assert refusal(response) == "invalid_client_metadata"
