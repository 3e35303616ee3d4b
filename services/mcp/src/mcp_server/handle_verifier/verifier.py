"""Verifies handles at auth: one question at a time per handle, answers remembered for seconds."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from mcp_server.handle_verifier.handle_format import is_well_formed
from mcp_server.handle_verifier.introspection import IntrospectionUnavailable, Introspector
from mcp_server.handle_verifier.remembered_answers import Answer, RememberedAnswers
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
# Without word of revocations, a question asked longer ago than this is asked again.
UNATTENDED_SECONDS = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Flight:
    task: asyncio.Task[VerifiedHandle]
    asked_at: float


class HandleVerifier:
    """The only way to a VerifiedHandle.

    Only positive answers are remembered, under the SHA-256 of the handle. A negative one is not: it
    would save nothing against made-up handles, which all differ, and could outlive a lag at auth.
    While nobody would tell of a revocation, no answer to a question older than a second is used.
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
        hears_revocations: Callable[[], bool],
        count: Callable[[Outcome], None],
        max_entries: int = MAX_ENTRIES,
    ) -> None:
        self._introspect = introspect
        self._resource = resource
        self._issuer = issuer
        self._cache_seconds = cache_seconds
        self._now = now
        self._monotonic = monotonic
        self._hears_revocations = hears_revocations
        self._count = count
        self._answers = RememberedAnswers(max_entries)
        self._flights: dict[bytes, _Flight] = {}
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
        self._answers.drop(digest)
        return await self._ask_once(digest, raw_handle)

    def forget_grant(self, grant_id: str) -> None:
        """Drop what is remembered of a revoked grant, including answers that are under way.

        A question asked before the revocation may be answered from before it. So whoever comes
        from now on asks anew, and no answer to an earlier question is remembered.
        """
        self._revocations_seen += 1
        self._flights.clear()
        self._answers.drop_grant(grant_id)

    def forget_everything(self) -> None:
        """Drop all answers, and those under way: any of the grants may have been revoked."""
        self._revocations_seen += 1
        self._flights.clear()
        self._answers.clear()

    def _remembered(self, digest: bytes) -> VerifiedHandle | None:
        answer = self._answers.get(digest)
        if answer is None:
            return None
        if answer.usable_until <= self._monotonic() or self._is_unattended(answer.asked_at):
            self._answers.drop(digest)
            return None
        return answer.handle

    def _is_unattended(self, asked_at: float) -> bool:
        is_old = self._monotonic() - asked_at > UNATTENDED_SECONDS
        return is_old and not self._hears_revocations()

    async def _ask_once(self, digest: bytes, raw_handle: str) -> VerifiedHandle:
        flight = self._flights.get(digest)
        if flight is None or self._is_unattended(flight.asked_at):
            flight = _Flight(
                asyncio.create_task(self._ask(digest, raw_handle)), asked_at=self._monotonic()
            )
            self._flights[digest] = flight
            flight.task.add_done_callback(lambda done: self._land(digest, done))
        # Shielded: a caller that goes away must not take the answer from those who wait with it.
        return await asyncio.shield(flight.task)

    def _land(self, digest: bytes, task: asyncio.Task[VerifiedHandle]) -> None:
        flight = self._flights.get(digest)
        if flight is not None and flight.task is task:
            del self._flights[digest]
        if not task.cancelled():
            # Looked at here, since every caller may have gone: asyncio would log it as lost.
            task.exception()

    async def _ask(self, digest: bytes, raw_handle: str) -> VerifiedHandle:
        asked_at, revocations_seen = self._monotonic(), self._revocations_seen
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
            self._remember(digest, handle, asked_at)
        return handle

    def _remember(self, digest: bytes, handle: VerifiedHandle, asked_at: float) -> None:
        now = self._now()
        seconds = min(
            self._cache_seconds,
            handle.expires_at - now,
            handle.downstream_token.expires_at - DOWNSTREAM_SKEW_SECONDS - now,
        )
        if seconds > 0:
            self._answers.put(digest, Answer(handle, asked_at, self._monotonic() + seconds))


def _digest(raw_handle: str) -> bytes:
    return hashlib.sha256(raw_handle.encode("ascii")).digest()
