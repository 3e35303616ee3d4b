"""The key sets that clients publish at their `jwks_uri`: fetched when one is needed, and kept."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from joserfc.jwk import KeySet

from auth_server.client_documents.documents import DocumentUnavailable, FetchDocument
from auth_server.domain.client_keys import KeyRefused, usable_keys
from service_kit.http_client import FetchFailed
from service_kit.jwks_cache import JwksCache, JwksUnavailable, fixed_location

MAX_JWKS_BYTES: Final = 32 * 1024
# How long a key serves that its client has withdrawn.
MAX_AGE_SECONDS: Final = 900.0
# At most so many sets are remembered; the one that was not used for longest makes room.
MOST_SETS: Final = 256
# Of what the fetcher does at once; the rest is for documents. A slow host holds one of these for
# five seconds in thirty, so that it takes hundreds of clients to hold all of them all the time.
MOST_AT_ONCE: Final = 32


class PublishedKeySets:
    """A cache per URI: one fetch at a time, one attempt per cool-down, the last good set stays.

    It is for clients that somebody has signed in with: strangers would fill and occupy it.
    """

    def __init__(self, fetch_document: FetchDocument, monotonic: Callable[[], float]) -> None:
        self._fetch_document = fetch_document
        self._monotonic = monotonic
        self._caches: OrderedDict[str, JwksCache] = OrderedDict()
        self._under_way = 0

    async def key_set_for(self, jwks_uri: str, key_id: str | None) -> KeySet:
        """Return the newest set that may be had for a signature with this kid.

        Raises JwksUnavailable, as JwksCache does, and when too many others are being fetched.
        """
        cache = self._caches.get(jwks_uri)
        if cache is None:
            cache = JwksCache(
                self._fetch,
                fixed_location(jwks_uri),
                self._monotonic,
                max_age_seconds=MAX_AGE_SECONDS,
            )
            self._caches[jwks_uri] = cache
            if len(self._caches) > MOST_SETS:
                self._caches.popitem(last=False)
        self._caches.move_to_end(jwks_uri)
        return await cache.key_set_for(key_id)

    async def _fetch(self, url: str) -> dict[str, Any]:
        if self._under_way >= MOST_AT_ONCE:
            # Nobody was asked: that is no attempt, or a few at once would keep the next one away.
            # Nor does an old set serve on, as it does while its publisher is away: with a withdrawn
            # key somebody could keep it so.
            raise JwksUnavailable(f"{url}: too many other key sets are being fetched")
        self._under_way += 1
        try:
            fetched = await self._fetch_document(url, max_bytes=MAX_JWKS_BYTES)
            return usable_keys(fetched.content)
        except (DocumentUnavailable, KeyRefused) as error:
            raise FetchFailed(f"{url}: {error}") from error
        finally:
            self._under_way -= 1
