"""Verifies PingOne access tokens: JWTs signed by the issuer, for this API, for a person."""

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc.errors import JoseError
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact

from service_kit.http_client import FetchFailed, JsonFetcher
from service_kit.jwks_cache import JwksCache
from service_kit.settings import check_public_url

Now = Callable[[], datetime]
Monotonic = Callable[[], float]

ALGORITHMS = ("RS256", "ES256")
MAX_TOKEN_BYTES = 16 * 1024
# How far the issuer's clock may run ahead of ours. `exp` gets none: a token ends when it says.
NOT_BEFORE_LEEWAY_SECONDS = 30
# How long a verified token is trusted without looking at its signature again: the most by which
# the withdrawal of a signing key can be late.
VERIFIED_SECONDS = 60.0
MAX_VERIFIED_TOKENS = 10_000
DISCOVERY_MAX_AGE_SECONDS = 3600.0

_COMPACT_JWS = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_ACCESS_TOKEN_TYPES = frozenset({"jwt", "at+jwt"})
_MAX_SUBJECT_LENGTH = 255  # OpenID Connect Core 2, `sub`
_YEAR_10000 = 253_402_300_800

_registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
_registry.max_header_length = 4096  # a certificate chain (x5c) fits, a document does not


class InvalidAccessToken(Exception):
    """The token proves nothing. The text is ours, holds no input, and may be shown and logged."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A verified token: who acts, through which client, with which scopes, until when."""

    subject: str
    scopes: frozenset[str]
    client_id: str | None
    expires_at: datetime


class DiscoveredJwks:
    """Locates the issuer's key set through its metadata (OpenID Connect Discovery 1.0)."""

    def __init__(self, fetch: JsonFetcher, issuer: str, monotonic: Monotonic) -> None:
        self._fetch = fetch
        self._issuer = issuer
        self._monotonic = monotonic
        self._jwks_uri: str | None = None
        self._found_at = float("-inf")

    async def __call__(self) -> str:
        """Return the key set's URL, at most an hour old; raise FetchFailed."""
        age = self._monotonic() - self._found_at
        if self._jwks_uri is None or age >= DISCOVERY_MAX_AGE_SECONDS:
            self._jwks_uri = await self._discover()
            self._found_at = self._monotonic()
        return self._jwks_uri

    async def _discover(self) -> str:
        url = f"{self._issuer}/.well-known/openid-configuration"
        metadata = await self._fetch(url)
        if metadata.get("issuer") != self._issuer:  # Discovery 1.0 section 4.3
            raise FetchFailed(f"{url} is the metadata of another issuer")
        jwks_uri = metadata.get("jwks_uri")
        if not isinstance(jwks_uri, str):
            raise FetchFailed(f"{url} names no jwks_uri")
        try:
            return check_public_url(jwks_uri, path_allowed=True)
        except ValueError as error:
            raise FetchFailed(f"the jwks_uri in {url} {error}") from error


class AccessTokenVerifier:
    """Turns an unverified JWT into an AccessToken, or refuses it."""

    def __init__(self, keys: JwksCache, *, issuer: str, audience: str, now: Now) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._verified = _VerifiedTokens()

    async def verify(self, unverified_jwt: str) -> AccessToken:
        """Return what the token proves; raise InvalidAccessToken, or JwksUnavailable (outage)."""
        if len(unverified_jwt) > MAX_TOKEN_BYTES or not _COMPACT_JWS.fullmatch(unverified_jwt):
            raise InvalidAccessToken("the token is not a signed JWT")
        now = self._now().timestamp()
        # The digest, not the token: the cache must not be a list of live credentials.
        digest = hashlib.sha256(unverified_jwt.encode("ascii")).digest()
        if (known := self._verified.get(digest, now)) is not None:
            return known
        signed = _parse(unverified_jwt)
        await self._check_signature(signed, _checked_kid(signed.protected))
        token = self._check_claims(_parse_claims(signed.payload), now)
        self._verified.put(digest, token, now)
        return token

    async def _check_signature(self, signed: CompactSignature, kid: str) -> None:
        key_set = await self._keys.key_set_for(kid)
        try:
            genuine = validate_compact(signed, key_set, registry=_registry)
        except (JoseError, ValueError, TypeError) as error:
            raise InvalidAccessToken("no key of the issuer verifies the token") from error
        if not genuine:
            raise InvalidAccessToken("the signature is wrong")

    def _check_claims(self, claims: dict[str, Any], now: float) -> AccessToken:
        if claims.get("iss") != self._issuer:
            raise InvalidAccessToken("the token is from another issuer")
        if self._audience not in _audiences(claims.get("aud")):
            raise InvalidAccessToken("the token is for another audience")
        expires_at = _numeric_date(claims, "exp")
        if expires_at is None:
            raise InvalidAccessToken("the token has no expiry")
        if now >= expires_at:
            raise InvalidAccessToken("the token has expired")
        for name in ("nbf", "iat"):
            begin = _numeric_date(claims, name)
            if begin is not None and now < begin - NOT_BEFORE_LEEWAY_SECONDS:
                raise InvalidAccessToken("the token is not valid yet")
        return AccessToken(
            subject=_subject(claims.get("sub")),
            scopes=_scopes(claims.get("scope")),
            client_id=_client_id(claims.get("client_id")),
            expires_at=datetime.fromtimestamp(expires_at, UTC),
        )


class _VerifiedTokens:
    """The tokens verified lately, least recently used out first."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[bytes, tuple[AccessToken, float]] = OrderedDict()

    def get(self, digest: bytes, now: float) -> AccessToken | None:
        if (entry := self._tokens.get(digest)) is None:
            return None
        token, until = entry
        if now >= until:
            del self._tokens[digest]
            return None
        self._tokens.move_to_end(digest)
        return token

    def put(self, digest: bytes, token: AccessToken, now: float) -> None:
        until = min(token.expires_at.timestamp(), now + VERIFIED_SECONDS)
        self._tokens[digest] = (token, until)
        if len(self._tokens) > MAX_VERIFIED_TOKENS:
            self._tokens.popitem(last=False)


def _parse(unverified_jwt: str) -> CompactSignature:
    try:
        return extract_compact(unverified_jwt.encode("ascii"), registry=_registry)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise InvalidAccessToken("the token is not a signed JWT") from error


def _checked_kid(header: Any) -> str:
    """Check everything about the header that does not need a key, and return its kid."""
    if not isinstance(header, dict):
        raise InvalidAccessToken("the token's header is not an object")
    if "crit" in header or "b64" in header:
        # RFC 7515 4.1.11: what we do not implement and must not ignore, we refuse.
        raise InvalidAccessToken("the token needs an extension this API does not know")
    if header.get("alg") not in ALGORITHMS:
        raise InvalidAccessToken("the token's algorithm is not accepted")
    # PingOne leaves `typ` out unless told otherwise; then issuer and audience alone tell an access
    # token from other JWTs. A type that is there must be right (RFC 9068 section 4, RFC 8725 3.11).
    typ = header.get("typ", "JWT")
    if not isinstance(typ, str) or (
        typ.lower().removeprefix("application/") not in _ACCESS_TOKEN_TYPES
    ):
        raise InvalidAccessToken("the token is not an access token")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise InvalidAccessToken("the token does not name its key")
    return kid


def _parse_claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidAccessToken("the token's claims are not JSON") from error
    if not isinstance(claims, dict):
        raise InvalidAccessToken("the token's claims are not an object")
    return claims


def _numeric_date(claims: dict[str, Any], name: str) -> float | None:
    """Return a time claim in seconds since 1970, None if absent (RFC 7519 section 2)."""
    if name not in claims:
        return None
    value = claims[name]
    # bool is an int to Python, and JSON's parser knows NaN and Infinity: none of them is a date.
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value < _YEAR_10000
    ):
        raise InvalidAccessToken(f"the token's {name} is not a date")
    return float(value)


def _audiences(value: Any) -> frozenset[str]:
    """RFC 7519 4.1.3: one string or an array of strings."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in values):
        raise InvalidAccessToken("the token's audience is malformed")
    return frozenset(values)


def _subject(value: Any) -> str:
    # Todos are kept under this name, so a token without one must not share a namespace with others.
    if not isinstance(value, str) or not value.strip():
        raise InvalidAccessToken("the token has no subject")
    if len(value) > _MAX_SUBJECT_LENGTH or not value.isprintable():
        raise InvalidAccessToken("the token's subject is malformed")
    return value


def _scopes(value: Any) -> frozenset[str]:
    """PingOne sends one space-separated string (RFC 8693 4.2), PingFederate may send an array."""
    if value is None:
        return frozenset()
    values = value.split(" ") if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        raise InvalidAccessToken("the token's scope is malformed")
    return frozenset(values) - {""}


def _client_id(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidAccessToken("the token's client_id is malformed")
    return value
