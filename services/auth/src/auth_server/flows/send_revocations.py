"""Revokes at PingOne what the outbox holds (RFC 7009), from every replica, until it is done.

A revocation that is sent twice does no harm, so a row is deleted only after PingOne's answer.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.flows.upstream_metrics import UpstreamMetrics
from auth_server.storage.database import Database, StorageUnavailable
from auth_server.storage.upstream_revocations import ClaimedRevocation
from auth_server.upstream.errors import UpstreamError, UpstreamRefused, UpstreamUnavailable
from auth_server.upstream.pingone import PingOne
from service_kit.background import BackgroundTasks

FIRST_DELAY: Final = timedelta(seconds=5)
LONGEST_DELAY: Final = timedelta(hours=1)
# By then PingOne has most likely let the tokens expire, and an operator has had a week of warnings.
GIVE_UP_AFTER: Final = timedelta(days=7)
# A pass ends after so many, so that shutdown, which awaits it, does not wait for a whole flood.
PASS: Final = 100

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class SendRevocations:
    """One pass at a time in this process; replicas share the rows by claiming them one by one.

    `claim` outlasts one request to PingOne: only a sender that died leaves its row to another.
    """

    database: Database
    pingone: PingOne
    background: BackgroundTasks
    metrics: UpstreamMetrics
    claim: timedelta
    now: Callable[[], datetime]
    _is_woken: bool = field(default=False, init=False)
    _is_running: bool = field(default=False, init=False)

    def wake(self) -> None:
        """Look for due rows now, in the background. Returns at once."""
        self._is_woken = True
        if self._is_running:
            return
        self._is_running = True
        self.background.start(
            self._while_woken(), name="send-revocations", expected=(StorageUnavailable,)
        )

    def apart(self, tokens: UpstreamTokens) -> None:
        """For tokens that no transaction knows: store them in one of their own. Returns at once.

        Without the database PingOne is asked directly, once.
        """
        self.background.start(self._apart(tokens), name="revoke-upstream")

    async def _apart(self, tokens: UpstreamTokens) -> None:
        try:
            async with self.database.transaction() as tx:
                await tx.upstream_revocations.insert(tokens, now=self.now())
        except StorageUnavailable as outage:
            _log.warning("upstream.revocation_not_stored", reason=str(outage))
            try:
                await self.pingone.revoke(tokens)
            except UpstreamError as error:
                _log.error("upstream.revocation_lost", reason=str(error))
        else:
            self.wake()

    async def _while_woken(self) -> None:
        try:
            while self._is_woken:
                self._is_woken = False
                await self._send_due()
        except StorageUnavailable as error:
            _log.warning("upstream.revocations_delayed", reason=str(error))
            raise
        finally:
            self._is_running = False

    async def _send_due(self) -> None:
        if not await self._count_waiting():
            return
        for _ in range(PASS):
            claimed = await self._claim()
            if claimed is None or not await self._send(claimed):
                break
        await self._count_waiting()

    async def _count_waiting(self) -> int:
        async with self.database.reading() as read:
            waiting = await read.upstream_revocations.count()
        self.metrics.revocations_waiting(waiting)
        return waiting

    async def _claim(self) -> ClaimedRevocation | None:
        now = self.now()
        async with self.database.transaction() as tx:
            return await tx.upstream_revocations.claim(now=now, until=now + self.claim)

    async def _send(self, claimed: ClaimedRevocation) -> bool:
        """Return whether there is any use in sending another."""
        if claimed.tokens is None:
            # Its key may come back. Storage has told the operator which one it is.
            await self._failed(claimed, "unreadable", "no key of the ring opens the tokens")
            return True
        try:
            await self.pingone.revoke(claimed.tokens)
        except UpstreamRefused as error:
            _log.error("upstream.revocation_refused", revocation=claimed.id, reason=str(error))
            await self._done(claimed, "refused")
        except UpstreamError as error:
            wait = error.retry_after_seconds if isinstance(error, UpstreamUnavailable) else None
            await self._failed(claimed, "failed", str(error), timedelta(seconds=wait or 0))
            return False
        else:
            _log.info("upstream.revoked", revocation=claimed.id, attempts=claimed.attempts)
            await self._done(claimed, "revoked")
        return True

    async def _failed(
        self,
        claimed: ClaimedRevocation,
        outcome: str,
        reason: str,
        retry_after: timedelta = timedelta(0),
    ) -> None:
        now = self.now()
        if now - claimed.created_at >= GIVE_UP_AFTER:
            _log.error("upstream.revocation_given_up", revocation=claimed.id, reason=reason)
            await self._done(claimed, "given_up")
            return
        wait = max(_delay(claimed.attempts), min(retry_after, LONGEST_DELAY))
        _log.warning(
            "upstream.revocation_failed",
            revocation=claimed.id,
            attempts=claimed.attempts,
            reason=reason,
            retry_in_seconds=round(wait.total_seconds()),
        )
        async with self.database.transaction() as tx:
            await tx.upstream_revocations.postpone(claimed, until=now + wait)
        self.metrics.revocation(outcome)

    async def _done(self, claimed: ClaimedRevocation, outcome: str) -> None:
        async with self.database.transaction() as tx:
            await tx.upstream_revocations.delete(claimed.id)
        self.metrics.revocation(outcome)


def _delay(attempts: int) -> timedelta:
    """Exponential, with jitter: what failed together is not repeated together."""
    # The exponent is bounded: a timedelta is.
    longest = min(FIRST_DELAY * 2.0 ** min(attempts - 1, 20), LONGEST_DELAY)
    return longest * random.uniform(0.5, 1)  # noqa: S311  (spreads load, hides nothing)
