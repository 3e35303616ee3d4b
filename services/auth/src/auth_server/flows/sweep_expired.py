"""Deletes what has expired, in bounded batches; safe on every replica at once."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from auth_server.domain.grants import RevocationReason
from auth_server.domain.lifetimes import Lifetimes
from auth_server.flows.revoke_grant import RevokeGrant
from auth_server.storage.database import Database, Transaction

BATCH: Final = 500
# By how much the clocks of two replicas may differ.
MOST_CLOCK_SKEW: Final = timedelta(minutes=1)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SweepExpired:
    """One short transaction per table: nobody waits for a sweep."""

    database: Database
    revoke_grant: RevokeGrant
    lifetimes: Lifetimes
    now: Callable[[], datetime]
    batch: int = BATCH

    async def until_clean(self) -> Counter[str]:
        """Sweep as long as there is more than a batch of anything: no flood outruns the sweep.

        Returns how many rows of each kind went. Every transaction is short, however many there
        are; what expires while the last batches go is left for the next time.
        """
        total: Counter[str] = Counter()
        while True:
            swept = await self()
            total += swept
            if max(swept.values(), default=0) < self.batch:
                return total

    async def __call__(self) -> Counter[str]:
        """Delete at most a batch of rows of each kind; return how many of each went, if any."""
        now = self.now()
        swept = Counter(
            unreachable_grants=await self._end_unreachable_grants(now),
            undecided_tokens=await self._revoke_undecided_tokens(now),
        )
        for kind, delete in self._deletions(now).items():
            async with self.database.transaction() as tx:
                swept[kind] = await delete(tx)
        swept = +swept
        if swept:
            _log.info("sweep.deleted", **swept)
        return swept

    def _deletions(self, now: datetime) -> dict[str, Callable[[Transaction], Awaitable[int]]]:
        lifetimes = self.lifetimes
        # An ended grant stays as long as a replayed code may still point at it.
        no_replay = now - lifetimes.redeemed_code
        # Another replica's clock may still see a handle or an assertion live.
        out_of_doubt = now - MOST_CLOCK_SKEW
        return {
            "account_logins": lambda tx: tx.account_logins.delete_expired(
                now=now, limit=self.batch
            ),
            "account_answers": lambda tx: tx.account_logins.delete_expired_answers(
                now=now, limit=self.batch
            ),
            "account_sessions": lambda tx: tx.account_sessions.delete_expired(
                now=now, limit=self.batch
            ),
            "late_sign_ons": lambda tx: tx.authorizations.erase_secrets(
                expired_by=now,
                answered_before=now - lifetimes.repeated_answer,
                limit=self.batch,
            ),
            "authorizations": lambda tx: tx.authorizations.delete_expired(
                before=now - lifetimes.late, limit=self.batch
            ),
            "consent_decisions": lambda tx: tx.consent_decisions.delete_expired(
                now=now, limit=self.batch
            ),
            "codes": lambda tx: tx.codes.delete_expired(before=no_replay, limit=self.batch),
            "sealed_answers": lambda tx: tx.handles.erase_sealed_answers(
                before=now - lifetimes.refresh_grace, limit=self.batch
            ),
            "handles": lambda tx: tx.handles.delete_expired(now=out_of_doubt, limit=self.batch),
            "grants": lambda tx: tx.grants.delete_ended(before=no_replay, limit=self.batch),
            "consents": lambda tx: tx.consents.delete_expired(now=now, limit=self.batch),
            "clients": lambda tx: tx.clients.delete_expired(now=now, limit=self.batch),
            "spent_assertions": lambda tx: tx.spent_assertions.delete_expired(
                before=out_of_doubt, limit=self.batch
            ),
            "initial_access_tokens": lambda tx: tx.initial_access_tokens.delete_useless(
                now=now, limit=self.batch
            ),
            "audit_events": lambda tx: tx.audit_events.delete_before(
                now - lifetimes.audit, limit=self.batch
            ),
        }

    async def _end_unreachable_grants(self, now: datetime) -> int:
        """What no handle leads to any more must not keep PingOne tokens alive behind it."""
        async with self.database.reading() as read:
            # Later by as much as the handles themselves are deleted later.
            unreachable = await read.grants.unreachable(
                before=now - self.lifetimes.code, limit=self.batch
            )
        for grant_id in unreachable:
            await self.revoke_grant(grant_id, RevocationReason.UNREACHABLE)
        return len(unreachable)

    async def _revoke_undecided_tokens(self, now: datetime) -> int:
        async with self.database.transaction() as tx:
            undecided = await tx.authorizations.take_expired_tokens(now=now, limit=self.batch)
            for tokens in undecided:
                await self.revoke_grant.revoke_upstream.within(tx, tokens)
        self.revoke_grant.revoke_upstream.committed()
        return len(undecided)
