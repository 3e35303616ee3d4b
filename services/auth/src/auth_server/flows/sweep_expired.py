"""Deletes what has expired, in bounded batches; safe on every replica at once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from auth_server.domain.grants import RevocationReason
from auth_server.domain.lifetimes import Lifetimes
from auth_server.flows.revoke_grant import RevokeGrant
from auth_server.storage.database import Database

BATCH: Final = 500
MAX_ROUNDS: Final = 100

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SweepExpired:
    """One short transaction per table: nobody waits for a sweep."""

    database: Database
    revoke_grant: RevokeGrant
    lifetimes: Lifetimes
    now: Callable[[], datetime]

    async def until_clean(self) -> None:
        """Sweep until nothing is left, or MAX_ROUNDS times: a flood must not outrun the sweep."""
        for _ in range(MAX_ROUNDS):
            if await self() == 0:
                return

    async def __call__(self) -> int:
        """Delete at most BATCH rows of each kind; return how many went."""
        now = self.now()
        total = await self._end_unreachable_grants(now)
        total += await self._revoke_undecided_tokens(now)
        async with self.database.transaction() as tx:
            total += await tx.authorizations.delete_expired(now=now, limit=BATCH)
        async with self.database.transaction() as tx:
            before = now - self.lifetimes.redeemed_code
            total += await tx.codes.delete_expired(before=before, limit=BATCH)
        async with self.database.transaction() as tx:
            total += await tx.handles.delete_expired(now=now, limit=BATCH)
        async with self.database.transaction() as tx:
            # An ended grant stays as long as a replayed code may still point at it.
            before = now - self.lifetimes.redeemed_code
            total += await tx.grants.delete_ended(before=before, limit=BATCH)
        async with self.database.transaction() as tx:
            total += await tx.consents.delete_expired(now=now, limit=BATCH)
        async with self.database.transaction() as tx:
            total += await tx.clients.delete_expired(now=now, limit=BATCH)
        if total:
            _log.info("sweep.deleted", rows=total)
        return total

    async def _end_unreachable_grants(self, now: datetime) -> int:
        """What no handle leads to any more must not keep PingOne tokens alive behind it."""
        async with self.database.reading() as read:
            # One code's lifetime later: another replica's clock may still see the handle live.
            unreachable = await read.grants.unreachable(
                before=now - self.lifetimes.code, limit=BATCH
            )
        for grant_id in unreachable:
            await self.revoke_grant(grant_id, RevocationReason.UNREACHABLE)
        return len(unreachable)

    async def _revoke_undecided_tokens(self, now: datetime) -> int:
        async with self.database.transaction() as tx:
            undecided = await tx.authorizations.take_expired_tokens(now=now, limit=BATCH)
        for tokens in undecided:
            self.revoke_grant.revoke_upstream(tokens)
        return len(undecided)
