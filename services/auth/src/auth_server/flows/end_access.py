"""Access ends because somebody says so: the person, on the account page, or an operator.

What ends is the same whoever says it, and also if the grants themselves have ended already.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from auth_server.domain.audit import consents_forgotten
from auth_server.domain.grants import RevocationReason
from auth_server.domain.handles import Digest
from auth_server.flows.revoke_grant import EndedGrant, RevokeGrant
from auth_server.storage.database import Database, Transaction
from auth_server.storage.grant_listing import GrantSelection

BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class EndAccess:
    """Ends for one `reason`. Each person and client in a transaction of its own.

    So an interrupted run has ended what it said, and may be repeated.
    """

    database: Database
    revoke_grant: RevokeGrant
    reason: RevocationReason
    now: Callable[[], datetime]

    async def one(self, grant_id: str, *, note: str | None = None) -> int:
        """End this grant and the ways back to it; return how many ended of those asked for.

        The other grants of its person and client live on, which may be other devices.
        """
        async with self.database.transaction() as tx:
            grant = await tx.grants.find(grant_id)
            if grant is None:
                return 0
            subject, client_id = grant.subject.subject, grant.client_id
            await tx.grants.hold(subject, client_id)
            ended = await self._end_within(tx, subject, client_id, (grant_id,), note)
        return self._committed(*ended)

    async def app(self, subject: str, client_id: str, *, note: str | None = None) -> int:
        """End all that a person has allowed a client; return how many grants ended."""
        async with self.database.transaction() as tx:
            await tx.grants.hold(subject, client_id)
            grant_ids = await tx.grants.active(subject, client_id, now=self.now())
            ended = await self._end_within(tx, subject, client_id, grant_ids, note)
        return self._committed(*ended)

    async def all_of(
        self, selection: GrantSelection, *, note: str | None = None, keep: Digest | None = None
    ) -> int:
        """End all that is selected, and what appears meanwhile; return how many grants ended.

        If the selection is a person, their sessions of the account page end as well, except the
        one to `keep`; if it is a client, all sign-ins to it that are under way.
        """
        total = 0
        left: frozenset[tuple[str, str]] = frozenset()
        # What is still there after its turn is in the hands of another transaction: left to that.
        while (pairs := await self._pairs(selection)) != left:
            for subject, client_id in pairs:
                total += await self.app(subject, client_id, note=note)
            left = pairs
        while await self._end_sign_ins(selection) == BATCH:
            pass
        if selection.subject is not None and selection.client_id is None:
            async with self.database.transaction() as tx:
                await tx.account_sessions.delete_of(selection.subject, keep=keep)
        return total

    async def _pairs(self, selection: GrantSelection) -> frozenset[tuple[str, str]]:
        async with self.database.reading() as read:
            return await read.grant_listing.with_access(selection, now=self.now(), limit=BATCH)

    async def _end_sign_ins(self, selection: GrantSelection) -> int:
        async with self.database.transaction() as tx:
            ended = await self.revoke_grant.sign_ins_within(
                tx, subject=selection.subject, client_id=selection.client_id, limit=BATCH
            )
        self.revoke_grant.revoke_upstream.committed()
        return ended

    async def _end_within(
        self,
        tx: Transaction,
        subject: str,
        client_id: str,
        grant_ids: tuple[str, ...],
        note: str | None,
    ) -> tuple[EndedGrant, ...]:
        ended = await self.revoke_grant.all_within(tx, grant_ids, self.reason, note=note)
        ways_back = await self.revoke_grant.ways_back_within(tx, subject, client_id)
        if ways_back.were_consents and not ended:
            event = consents_forgotten(subject, client_id, self.reason, note)
            await tx.audit_events.append(event, now=self.now())
        return ended + ways_back.grants

    def _committed(self, *ended: EndedGrant) -> int:
        for one in ended:
            self.revoke_grant.committed(one)
        # Also if no grant ended: a sign-in's tokens may wait to be revoked.
        self.revoke_grant.revoke_upstream.committed()
        return sum(one.reason is self.reason for one in ended)
