"""An assertion names the key that signed it: by kid, by thumbprint, or not at all if few fit."""

from typing import Any

import httpx
import pytest
from auth_back_channel import refusal
from auth_harness import AuthUnderTest
from client_assertions import RSA, key_set, proof, register_with_keys
from joserfc.jwk import ECKey

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
JWKS_URI = "https://chatgpt.example/oauth/jwks.json"


async def ask(auth: AuthUnderTest, form: dict[str, str]) -> httpx.Response:
    """A request that succeeds for every proven client: the revocation of nothing."""
    return await auth.anyone.post("/revoke", data={"token": "nothing", **form})


@pytest.mark.standard("RFC 7523 3 signature")
@ON_SQLITE
@pytest.mark.parametrize("is_published", [False, True])
async def test_a_key_that_has_no_kid_is_named_by_its_thumbprint(
    auth: AuthUnderTest, is_published: bool
) -> None:
    keys = [ECKey.generate_key("P-256") for _ in range(4)]
    members: dict[str, Any] = {"jwks": key_set(*keys)}
    if is_published:
        auth.published.publish(JWKS_URI, key_set(*keys))
        members = {"jwks": None, "jwks_uri": JWKS_URI}
    client_id = await register_with_keys(auth, **members)
    await auth.obtain_code(client_id=client_id)
    for key in keys:
        named = proof(auth, client_id, key, kid=key.thumbprint())
        assert (await ask(auth, named)).status_code == 200


@pytest.mark.standard("RFC 7523 3 signature", "RFC 7523 3.2")
@ON_SQLITE
@pytest.mark.parametrize("kid", [None, "the-same"])
async def test_of_many_keys_that_fit_none_is_tried_and_the_client_is_told_to_name_one(
    auth: AuthUnderTest, kid: str | None
) -> None:
    keys = [ECKey.generate_key("P-256", None if kid is None else {"kid": kid}) for _ in range(4)]
    few = await register_with_keys(auth, RSA, *keys[:3])
    assert (await ask(auth, proof(auth, few, keys[2], kid=kid))).status_code == 200
    many = await register_with_keys(auth, RSA, *keys)
    response = await ask(auth, proof(auth, many, keys[0], kid=kid))
    assert refusal(response, 401) == "invalid_client"
    assert "by a kid of its own" in response.json()["error_description"]
    # It is about those that fit: of RSA keys there is one.
    rsa = proof(auth, many, RSA, algorithm="RS256", kid=RSA.kid if kid else None)
    assert (await ask(auth, rsa)).status_code == 200
