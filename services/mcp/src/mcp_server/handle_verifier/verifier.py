"""Verifies handles at auth: one question at a time per handle, answers remembered for seconds."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from mcp_server.handle_verifier.handle_format import is_well_formed
from mcp_server.handle_verifier.introspection import IntrospectionUnavailable, Introspector
from mcp_server.handle_verifier.verified_handle import (
    HandleInactive,
    VerifiedHandle,
    read_answer,
)

Clock = Callable[[], float]
Outcome = Literal["hit", "live", "inactive", "outage"]

MAX_ENTRIES = 10_000
# A downstream token this close to its end is asked for again, so that auth can refresh it.
DOWNSTREAM_SKEW_SECONDS = 30

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    handle: VerifiedHandle
    usable_until: float


class HandleVerifier:
    """The only way to a VerifiedHandle.

    Only positive answers are remembered, under the SHA-256 of the handle. A negative one is not: it
    would save nothing against made-up handles, which all differ, and could outlive a lag at auth.
    """

    def __init__(
        self,
        introspect: Introspector,
        *,
        resource: str,
        issuer: str,
        cache_seconds: float,
        now: Clock,
        monotonic: Clock,
        count: Callable[[Outcome], None],
        max_entries: int = MAX_ENTRIES,
    ) -> None:
        self._introspect = introspect
        self._resource = resource
        self._issuer = issuer
        self._cache_seconds = cache_seconds
        self._now = now
        self._monotonic = monotonic
        self._count = count
        self._max_entries = max_entries
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._flights: dict[bytes, asyncio.Task[VerifiedHandle]] = {}
        self._revocations_seen = 0

    async def verify(self, raw_handle: str) -> VerifiedHandle:
        """Return what auth says about this handle, now or within the cache's seconds.

        Raises HandleInactive, without a call if the handle is malformed, or
        IntrospectionUnavailable.
        """
        if not is_well_formed(raw_handle):
            raise HandleInactive("the handle is malformed")
        digest = _digest(raw_handle)
        remembered = self._remembered(digest)
        if remembered is not None:
            self._count("hit")
            return remembered
        return await self._ask_once(digest, raw_handle)

    async def renew(self, raw_handle: str, *, refused: VerifiedHandle) -> VerifiedHandle:
        """Ask auth again because the API refused this handle's downstream token.

        Of many callers holding the same refused answer one asks; the others get what it learned.
        Raises like verify.
        """
        digest = _digest(raw_handle)
        remembered = self._remembered(digest)
        if remembered is not None and remembered is not refused:
            return remembered
        self._entries.pop(digest, None)
        return await self._ask_once(digest, raw_handle)

    def forget_grant(self, grant_id: str) -> None:
        """Drop what is remembered of a revoked grant, including answers that are under way.

        A question asked before the revocation may be answered from before it. So whoever comes
        from now on asks anew, and no answer to an earlier question is remembered.
        """
        self._revocations_seen += 1
        self._flights.clear()
        for digest in [d for d, e in self._entries.items() if e.handle.grant_id == grant_id]:
            del self._entries[digest]

    def _remembered(self, digest: bytes) -> VerifiedHandle | None:
        entry = self._entries.get(digest)
        if entry is None:
            return None
        if entry.usable_until <= self._monotonic():
            del self._entries[digest]
            return None
        self._entries.move_to_end(digest)
        return entry.handle

    async def _ask_once(self, digest: bytes, raw_handle: str) -> VerifiedHandle:
        flight = self._flights.get(digest)
        if flight is None:
            flight = asyncio.create_task(self._ask(digest, raw_handle, self._revocations_seen))
            self._flights[digest] = flight
            flight.add_done_callback(lambda done: self._land(digest, done))
        # Shielded: a caller that goes away must not take the answer from those who wait with it.
        return await asyncio.shield(flight)

    def _land(self, digest: bytes, flight: asyncio.Task[VerifiedHandle]) -> None:
        if self._flights.get(digest) is flight:
            del self._flights[digest]
        if not flight.cancelled():
            # Looked at here, since every caller may have gone: asyncio would log it as lost.
            flight.exception()

    async def _ask(self, digest: bytes, raw_handle: str, revocations_seen: int) -> VerifiedHandle:
        try:
            handle = read_answer(
                await self._introspect(raw_handle),
                resource=self._resource,
                issuer=self._issuer,
                now=self._now(),
            )
        except HandleInactive:
            self._count("inactive")
            raise
        except IntrospectionUnavailable as error:
            self._count("outage")
            _log.warning("introspection.unavailable", reason=str(error))
            raise
        self._count("live")
        if revocations_seen == self._revocations_seen:
            self._remember(digest, handle)
        return handle

    def _remember(self, digest: bytes, handle: VerifiedHandle) -> None:
        now = self._now()
        seconds = min(
            self._cache_seconds,
            handle.expires_at - now,
            handle.downstream_token.expires_at - DOWNSTREAM_SKEW_SECONDS - now,
        )
        if seconds <= 0:
            return
        self._entries[digest] = _Entry(handle, self._monotonic() + seconds)
        self._entries.move_to_end(digest)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)


def _digest(raw_handle: str) -> bytes:
    return hashlib.sha256(raw_handle.encode("ascii")).digest()
