"""Signs access tokens and ID tokens with PingOne's claims."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from itsdangerous.encoding import base64_encode
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from pingone_simulator.errors import InvalidRequest
from pingone_simulator.grants import AccessToken, Grant
from pingone_simulator.resources import PINGONE_API, Access
from pingone_simulator.signing_key import ALGORITHM

# PingOne names the organization that owns the environment; the simulated one is always this.
ORGANIZATION_ID = "a4f1d7c8-0e2b-4c39-b6d5-7f8091a2b3c4"
# Keys that were rotated and are still published, at most.
_KEPT_KEYS = 4


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """How tokens look and how long they live."""

    access_token_type: str
    access_token_lifetime: timedelta
    id_token_lifetime: timedelta


class TokenMint:
    """The only place that uses the signing key."""

    def __init__(
        self,
        *,
        issuer: str,
        environment_id: str,
        client_id: str,
        signing_key: RSAKey,
        policy: TokenPolicy,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._issuer = issuer
        self._environment_id = environment_id
        self._client_id = client_id
        self._key = signing_key
        self._retired: list[RSAKey] = []
        self._policy = policy
        self._now = now
        self._new_id = new_id

    def public_jwks(self) -> dict[str, Any]:
        """Return the key set that verifies what this mint signs (RFC 7517 section 5)."""
        return {"keys": [key.as_dict(private=False) for key in (self._key, *self._retired)]}

    def rotate_signing_key(self, key: RSAKey, *, keep_old: bool) -> None:
        """Sign with another key; the one before it stays published, or nothing verifies with it."""
        self._retired = [self._key, *self._retired][:_KEPT_KEYS] if keep_old else []
        self._key = key

    @property
    def access_token_lifetime(self) -> timedelta:
        """How long an access token signed now will live."""
        return self._policy.access_token_lifetime

    def change_access_token_lifetime(self, lifetime: timedelta) -> None:
        """Change it for access tokens signed from now on."""
        self._policy = replace(self._policy, access_token_lifetime=lifetime)

    def access_token(self, grant: Grant, access: Access) -> tuple[str, AccessToken]:
        """Sign an access token; return it and what to remember of it."""
        issued_at = self._now()
        expires_at = issued_at + self._policy.access_token_lifetime
        claims = {
            **self._common_claims(grant, issued_at, expires_at),
            "client_id": self._client_id,
            "jti": self._new_id(),
            "aud": [access.audience],
            "scope": access.scope,
        }
        if access.audience == PINGONE_API:
            claims |= {"env": self._environment_id, "org": ORGANIZATION_ID}
        value = self._sign(self._policy.access_token_type, claims)
        return value, AccessToken(grant, access, issued_at, expires_at)

    def id_token(self, grant: Grant, access_token: str, nonce: str | None) -> str:
        """Sign an ID token that goes with an access token (OpenID Connect Core section 2)."""
        issued_at = self._now()
        claims = {
            **self._common_claims(grant, issued_at, issued_at + self._policy.id_token_lifetime),
            **grant.person.claims(grant.access.scopes),
            "aud": self._client_id,
            "at_hash": _half_hash(access_token),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        return self._sign("JWT", claims)

    def session_of(self, id_token_hint: str) -> str:
        """Return the sid of an ID token signed here, expired or not; raise InvalidRequest."""
        try:
            keys = KeySet([self._key, *self._retired])
            claims = jwt.decode(id_token_hint, keys, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError, TypeError):
            raise InvalidRequest("id_token_hint was not issued here") from None
        sid = claims.get("sid")
        # The key may outlive this process and its settings, and it signs access tokens as well.
        is_ours = claims.get("iss") == self._issuer and claims.get("aud") == self._client_id
        if not is_ours or not isinstance(sid, str):
            raise InvalidRequest("id_token_hint is not an ID token of this client")
        return sid

    def _common_claims(
        self, grant: Grant, issued_at: datetime, expires_at: datetime
    ) -> dict[str, Any]:
        return {
            "iss": self._issuer,
            "sub": grant.person.sub,
            "iat": int(issued_at.timestamp()),
            "exp": int(expires_at.timestamp()),
            "sid": grant.sid,
            "auth_time": int(grant.auth_time.timestamp()),
            "acr": grant.acr,
        }

    def _sign(self, token_type: str, claims: dict[str, Any]) -> str:
        header = {"alg": ALGORITHM, "kid": self._key.kid, "typ": token_type}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])


def _half_hash(access_token: str) -> str:
    """at_hash (OpenID Connect Core section 3.1.3.6)."""
    digest = hashlib.sha256(access_token.encode("ascii")).digest()
    return base64_encode(digest[: len(digest) // 2]).decode("ascii")
