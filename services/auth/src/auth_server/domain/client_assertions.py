"""Client assertions: a client proves by a JSON Web Token that it has its private key.

RFC 7523 3, OpenID Connect Core 9. Everything that is required is written out here; a library's
defaults decide nothing. A key that the assertion brings along (jwk, jku, x5c, x5u) is not read.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self, TypeGuard

from joserfc.errors import JoseError
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact

from auth_server.domain.client_keys import (
    MAX_KEY_ID_LENGTH,
    SIGNING_ALGORITHMS,
    PublicKey,
    import_key,
    suitable_keys,
)
from auth_server.domain.errors import InvalidClient
from auth_server.domain.handles import Digest, digest

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LENGTH: Final = 8 * 1024
MAX_LIFETIME: Final = timedelta(minutes=5)
LEEWAY: Final = timedelta(seconds=30)
MAX_ID_LENGTH: Final = 255
# Whoever names a client has us try its keys. One that replaces a key has two or three that fit.
MOST_KEYS_TRIED: Final = 3
_MAX_CLIENT_ID_LENGTH: Final = 2000

# A token that the client signs for another purpose has another type (RFC 8725 3.11).
_TYPES: Final = frozenset({"jwt", "client-authentication+jwt"})


class _Registry(JWSRegistry):
    # The length of the whole is bounded; clients of Microsoft's send a certificate in the header.
    max_header_length = MAX_LENGTH


# RFC 7515 4: header parameters that are not understood are ignored, unless `crit` forbids it.
_REGISTRY: Final = _Registry(algorithms=SIGNING_ALGORITHMS, strict_check_header=False)


@dataclass(frozen=True, slots=True)
class UnverifiedAssertion:
    """What a request presents. Only `verified_claims` has checked who wrote it."""

    algorithm: str
    key_id: str | None
    subject: str
    signed: CompactSignature = field(repr=False)

    @classmethod
    def read(cls, assertion: str) -> Self:
        """Take the token apart; raise InvalidClient unless it is one that could be accepted."""
        if len(assertion) > MAX_LENGTH:
            raise refused("the assertion is too long")
        try:
            signed = extract_compact(assertion.encode("ascii"), registry=_REGISTRY)
            algorithm, key_id = _read_header(signed.headers())
            subject = _claims_of(signed).get("sub")
        except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise refused(f"the assertion is malformed: {type(error).__name__}") from None
        if not _is_text(subject, _MAX_CLIENT_ID_LENGTH):
            raise refused("sub names no client")
        return cls(algorithm, key_id, subject, signed)

    def verified_claims(self, keys: Iterable[PublicKey]) -> Mapping[str, Any]:
        """Return the claims if one of these keys has signed them; raise InvalidClient."""
        candidates = suitable_keys(keys, self.algorithm, self.key_id)
        if len(candidates) > MOST_KEYS_TRIED:
            raise InvalidClient(
                "the assertion must name the key that signed it, by a kid of its own",
                detail=f"{len(candidates)} keys fit the assertion",
            )
        if not any(self._is_signed_with(key) for key in candidates):
            raise refused(f"no signature of the client's, by {len(candidates)} keys")
        return _claims_of(self.signed)

    def _is_signed_with(self, key: PublicKey) -> bool:
        try:
            return validate_compact(self.signed, import_key(key), registry=_REGISTRY)
        except (JoseError, ValueError):
            return False


@dataclass(frozen=True, slots=True)
class AcceptedAssertion:
    """An assertion that proves the client, if nobody has used it before."""

    digest: Digest
    expires_at: datetime


def check_claims(
    claims: Mapping[str, Any], client_id: str, audiences: Collection[str], now: datetime
) -> AcceptedAssertion:
    """Check what a client has signed (RFC 7523 3); raise InvalidClient.

    `expires_at` is when nobody accepts it any more, the leeway included.
    """
    # OpenID Connect Core 9: the client is both issuer and subject.
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise refused("iss and sub are not the client_id")
    audience = claims.get("aud")
    # One string, never a list: with several audiences an assertion that one server asked for could
    # be used by it at another (draft-ietf-oauth-rfc7523bis).
    if not isinstance(audience, str) or audience not in audiences:
        raise refused("aud is neither the issuer nor the token endpoint, alone")
    expires_at = _check_times(claims, now.timestamp())
    identifier = claims.get("jti")
    if not _is_text(identifier, MAX_ID_LENGTH):
        raise refused("jti is missing or no short text")
    return AcceptedAssertion(
        # No client_id and no jti contains NUL: two pairs never make the same text.
        digest(f"{client_id}\x00{identifier}"),
        datetime.fromtimestamp(expires_at, UTC) + LEEWAY,
    )


def refused(detail: str) -> InvalidClient:
    """The usual refusal; `detail` is for the log and holds nothing of the assertion."""
    return InvalidClient("client authentication failed", detail=detail)


def _check_times(claims: Mapping[str, Any], now: float) -> float:
    leeway = LEEWAY.total_seconds()
    expires_at = claims.get("exp")
    # Compared and never reckoned with before it is bounded: an int of Python's may be too large for
    # that, and NaN, which its JSON admits, is neither more nor less than anything.
    if not _is_number(expires_at) or not now - leeway < expires_at:
        raise refused("exp is missing or in the past")
    if not expires_at <= now + MAX_LIFETIME.total_seconds() + leeway:
        raise refused("exp is too far ahead")
    for name in ("iat", "nbf"):
        value = claims.get(name)
        if value is not None and not (_is_number(value) and value <= now + leeway):
            raise refused(f"{name} is in the future")
    return float(expires_at)


def _read_header(header: Mapping[str, Any]) -> tuple[str, str | None]:
    algorithm, key_id = header["alg"], header.get("kid")
    if algorithm not in SIGNING_ALGORITHMS:
        raise refused("alg is not allowed")
    # RFC 7515 4.1.11: no extension is understood here; b64 would be one (RFC 7797).
    if "crit" in header or "b64" in header:
        raise refused("the header demands an extension")
    if str(header.get("typ", "JWT")).lower().removeprefix("application/") not in _TYPES:
        raise refused("typ is that of another kind of token")
    if key_id is not None and not _is_text(key_id, MAX_KEY_ID_LENGTH):
        raise refused("kid is no short text")
    return algorithm, key_id


def _claims_of(signed: CompactSignature) -> Mapping[str, Any]:
    claims = json.loads(signed.payload)
    if not isinstance(claims, dict):
        raise TypeError("the claims are no object")
    return claims


def _is_text(value: object, longest: int) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
