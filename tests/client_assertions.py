"""Clients with a key of their own: what they register or publish, and the assertions they sign."""

import json
from typing import Any
from uuid import uuid4

from auth_harness import ISSUER, AuthUnderTest
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64encode

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
OTHER_EC = ECKey.generate_key("P-256", {"kid": "ec-2"})


def key_set(*keys: Key) -> dict[str, Any]:
    """The public halves as a JSON Web Key Set."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


def signed(
    claims: dict[str, Any] | bytes, key: Key = EC, algorithm: str = "ES256", **header: Any
) -> str:
    """Claims under a signature; a header parameter of None is left out, and none is checked."""
    members = {"alg": algorithm, "typ": "JWT", "kid": key.kid} | header
    protected = {name: value for name, value in members.items() if value is not None}
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signing_input = b".".join(map(urlsafe_b64encode, (json.dumps(protected).encode(), payload)))
    signature = JWSRegistry.algorithms[algorithm].sign(signing_input, key)
    return b".".join((signing_input, urlsafe_b64encode(signature))).decode()


def right_claims(auth: AuthUnderTest, client_id: str, **changes: Any) -> dict[str, Any]:
    """The claims of an assertion that is right but for the changes; None leaves one out."""
    now = int(auth.clock().timestamp())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": ISSUER,
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid4()),
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def presented(assertion: str, client_id: str | None = None) -> dict[str, str]:
    """The parameters that carry an assertion (RFC 7521 4.2)."""
    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return form if client_id is None else form | {"client_id": client_id}


def proof(auth: AuthUnderTest, client_id: str, key: Key = EC, **options: Any) -> dict[str, str]:
    """A fresh proof of this client, as form parameters."""
    return presented(signed(right_claims(auth, client_id), key, **options))


async def register_with_keys(auth: AuthUnderTest, *keys: Key, **changes: Any) -> str:
    """Register a client that proves itself with these keys; return its client_id."""
    registered = await auth.register(
        **{
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": key_set(*(keys or (EC,))),
            **changes,
        }
    )
    client_id: str = registered["client_id"]
    return client_id
