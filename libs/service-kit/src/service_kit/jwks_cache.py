"""A cache of one JSON Web Key Set: refetched on an unknown kid, with a cool-down against floods."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from service_kit.http_client import FetchFailed, JsonFetcher

Monotonic = Callable[[], float]
LocateJwks = Callable[[], Awaitable[str]]

MAX_AGE_SECONDS = 3600.0
COOL_DOWN_SECONDS = 30.0

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
    old set is a better answer than an outage.
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

        The set may lack kid: the token is then to be refused. Raises JwksUnavailable when there
        is no set at all.
        """
        if not self._is_current_for(kid):
            async with self._lock:
                # Whoever waited here finds the work done, and the cool-down running, by the first.
                if not self._is_current_for(kid) and not self._is_cooling_down():
                    await self._refresh()
        if self._key_set is None:
            raise JwksUnavailable("no key set could be fetched from the issuer")
        return self._key_set

    def _is_current_for(self, kid: str | None) -> bool:
        fresh = self._monotonic() - self._fetched_at < self._max_age
        return fresh and (kid is None or kid in self._kids)

    def _is_cooling_down(self) -> bool:
        return self._monotonic() - self._attempted_at < self._cool_down

    async def _refresh(self) -> None:
        self._attempted_at = self._monotonic()
        try:
            document = await self._fetch(await self._locate())
            key_set = KeySet.import_key_set(document)  # type: ignore[arg-type]
        except FetchFailed as error:
            _log.warning("jwks.fetch_failed", reason=str(error))
            return
        except (JoseError, ValueError, KeyError, TypeError) as error:
            _log.warning("jwks.unreadable", reason=type(error).__name__)
            return
        self._key_set = key_set
        self._kids = frozenset(key.kid for key in key_set.keys if key.kid)
        self._fetched_at = self._attempted_at
