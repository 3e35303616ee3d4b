"""A cache of one JSON Web Key Set: refetched on an unknown kid, with a cool-down against floods."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key, KeySet

from service_kit.http_client import FetchFailed, JsonFetcher

Monotonic = Callable[[], float]
LocateJwks = Callable[[], Awaitable[str]]

MAX_AGE_SECONDS = 3600.0
COOL_DOWN_SECONDS = 30.0

# What joserfc and cryptography raise for the many ways in which a key can be wrong or unknown.
_UNUSABLE = (
    JoseError,
    SecurityWarning,
    UnsupportedAlgorithm,
    ValueError,
    LookupError,
    TypeError,
)

_log = structlog.get_logger(__name__)


class JwksUnavailable(Exception):
    """No key set is at hand and none could be fetched: an outage, never a bad signature."""


def fixed_location(jwks_uri: str) -> LocateJwks:
    """Locate a key set whose URL is configured rather than discovered."""

    async def locate() -> str:
        return jwks_uri

    return locate


class JwksCache:
    """Serves one issuer's key set: one fetch at a time, at most one attempt per cool-down.

    A set that could not be refreshed stays in use: keys are added long before they sign, so an
    old set is a better answer than an outage. A `fetch` that asked nobody raises JwksUnavailable:
    that is no attempt, and ends the question of its caller.
    """

    def __init__(
        self,
        fetch: JsonFetcher,
        locate: LocateJwks,
        monotonic: Monotonic,
        *,
        max_age_seconds: float = MAX_AGE_SECONDS,
        cool_down_seconds: float = COOL_DOWN_SECONDS,
    ) -> None:
        self._fetch = fetch
        self._locate = locate
        self._monotonic = monotonic
        self._max_age = max_age_seconds
        self._cool_down = cool_down_seconds
        self._key_set: KeySet | None = None
        self._kids: frozenset[str] = frozenset()
        self._fetched_at = float("-inf")
        self._attempted_at = float("-inf")
        self._lock = asyncio.Lock()

    async def key_set_for(self, kid: str | None) -> KeySet:
        """Return the newest key set that may be had for a token signed with kid.

        The set may lack kid if it was fetched for this question: the token is then to be refused.
        Raises JwksUnavailable when there is no set at all, or none that is new enough to tell.
        """
        asked_at = self._monotonic()
        if not self._is_current_for(kid) and not self._is_being_refreshed_for(kid):
            async with self._lock:
                # Whoever waited here finds the work done, and the cool-down running, by the first.
                if not self._is_current_for(kid) and not self._is_cooling_down():
                    await self._refresh()
        if self._key_set is None:
            raise JwksUnavailable("no key set could be fetched")
        if not self._knows(kid) and self._fetched_at < asked_at:
            # The key may be newer than the set: that is no reason to call a token invalid.
            raise JwksUnavailable("the key is not known, and the set cannot be fetched anew yet")
        return self._key_set

    def _is_current_for(self, kid: str | None) -> bool:
        return self._monotonic() - self._fetched_at < self._max_age and self._knows(kid)

    def _is_being_refreshed_for(self, kid: str | None) -> bool:
        # One caller waits for a slow issuer; whose key is known goes on with the old set.
        return self._lock.locked() and self._knows(kid)

    def _knows(self, kid: str | None) -> bool:
        return self._key_set is not None and (kid is None or kid in self._kids)

    def _is_cooling_down(self) -> bool:
        return self._monotonic() - self._attempted_at < self._cool_down

    async def _refresh(self) -> None:
        started_at = self._monotonic()
        key_set = await self._fetch_key_set()
        # Not before: an attempt whose caller is cancelled halfway must not keep the next one away.
        self._attempted_at = self._monotonic()
        if key_set is not None:
            self._key_set = key_set
            self._kids = frozenset(key.kid for key in key_set.keys if key.kid)
            self._fetched_at = started_at

    async def _fetch_key_set(self) -> KeySet | None:
        try:
            jwks_uri = await self._locate()
            document = await self._fetch(jwks_uri)
        except FetchFailed as error:
            _log.warning("jwks.fetch_failed", reason=str(error))
            return None
        members = document.get("keys")
        keys = _import_usable_keys(members) if isinstance(members, list) else []
        if not keys:
            reason = f"{jwks_uri} holds no key that verifies"
            _log.warning("jwks.unusable", reason=reason)
            return None
        return KeySet(keys)


def _import_usable_keys(members: list[Any]) -> list[Key]:
    """Import the keys that can verify; RFC 7517 section 5: ignore the others, not the set."""
    keys = [key for member in members if (key := _import_key(member)) is not None]
    if len(keys) < len(members):
        _log.info("jwks.keys_ignored", ignored=len(members) - len(keys), used=len(keys))
    return keys


def _import_key(member: Any) -> Key | None:
    # A symmetric key that everybody can read verifies nothing (RFC 8725 section 2.1).
    if not isinstance(member, dict) or member.get("kty") == "oct" or member.get("use") == "enc":
        return None
    try:
        with warnings.catch_warnings():
            # joserfc only warns of an RSA key shorter than RFC 7518 section 3.3 demands.
            warnings.simplefilter("error", SecurityWarning)
            key = JWKRegistry.import_key(member)
            key.ensure_kid()
    except _UNUSABLE:
        return None
    return key
