"""Ends a grant, whoever asks for it, and whatever would lead back to it without being asked.

Its handles die here, its code, and its tokens at PingOne. Where the access of a person and client
is over, and not just this grant of theirs, so do the sign-ins that are under way, and the consents
that are remembered. docs/token-life.md has the table.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog

from auth_server.domain.audit import end_of_grant
from auth_server.domain.grants import RevocationReason
from auth_server.domain.revocations import Revocation
from auth_server.flows.revoke_upstream import RevokeUpstream
from auth_server.storage.database import Database, Transaction

# How much one transaction takes out at the most.
BATCH: Final = 100

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EndedGrant:
    """A grant that ended in this transaction: whose it was, and why it ended.

    `others` are those whose codes nobody had redeemed, and that ended with it.
    """

    grant_id: str
    resource: str
    subject: str
    client_id: str
    reason: RevocationReason
    others: tuple["EndedGrant", ...] = ()


@dataclass(frozen=True, slots=True)
class EndedWaysBack:
    """What else ended: grants whose codes nobody had redeemed, and whether consents did."""

    grants: tuple[EndedGrant, ...]
    were_consents: bool


@dataclass(frozen=True, slots=True)
class RevokeGrant:
    """The one way a grant ends before its time."""

    database: Database
    revoke_upstream: RevokeUpstream
    now: Callable[[], datetime]
    # A process that serves nobody, such as the command line, leaves the feed to the database.
    publish: Callable[[Revocation], None] = lambda _revocation: None

    async def __call__(self, grant_id: str, reason: RevocationReason) -> None:
        """End the grant; nothing happens if it has ended already."""
        async with self.database.transaction() as tx:
            ended = await self.within(tx, grant_id, reason)
        self.committed(ended)

    async def within(
        self, tx: Transaction, grant_id: str, reason: RevocationReason
    ) -> EndedGrant | None:
        """End the grant as part of a larger transaction; call committed() after it.

        The transaction may hold rows of codes and handles by then, but none of a grant.
        """
        if not reason.ends_access:
            return await self._end(tx, grant_id, reason, None)
        grant = await tx.grants.find(grant_id)
        if grant is None:
            return None
        subject, client_id = grant.subject.subject, grant.client_id
        await tx.grants.hold(subject, client_id)
        ended = await self._end(tx, grant_id, reason, None)
        if ended is None:
            return None
        ways_back = await self.ways_back_within(tx, subject, client_id)
        return replace(ended, others=ways_back.grants)

    async def all_within(
        self,
        tx: Transaction,
        grant_ids: Iterable[str],
        reason: RevocationReason,
        *,
        note: str | None = None,
    ) -> tuple[EndedGrant, ...]:
        """End these grants, in the order of their ids, while their person and client are held.

        `note` is what an operator says about it. Call committed() with each after the transaction.
        """
        ended = [await self._end(tx, grant_id, reason, note) for grant_id in grant_ids]
        return tuple(one for one in ended if one is not None)

    async def ways_back_within(
        self, tx: Transaction, subject: str, client_id: str
    ) -> EndedWaysBack:
        """End what would give a person's access to a client, which are held, back unasked.

        Those are codes, with their grants, remembered consents, and sign-ins that wait for a second
        consent. One at PingOne is not known to be this person's: when it comes back, its consent is
        looked up again.
        """
        unredeemed = await tx.grants.unredeemed(subject, client_id)
        ended = await self.all_within(tx, unredeemed, RevocationReason.ACCESS_ENDED)
        were_consents = await tx.consents.forget(subject, client_id)
        await self.sign_ins_within(tx, subject=subject, client_id=client_id)
        return EndedWaysBack(ended, were_consents)

    async def sign_ins_within(
        self, tx: Transaction, *, subject: str | None, client_id: str | None, limit: int = BATCH
    ) -> int:
        """End sign-ins under way, as far as it is known whose they are; return how many."""
        taken = await tx.authorizations.take_of(subject=subject, client_id=client_id, limit=limit)
        for tokens in taken:
            if tokens is not None:
                await self.revoke_upstream.within(tx, tokens)
        return len(taken)

    def committed(self, ended: EndedGrant | None) -> None:
        """Tell the log and the feed, and begin the revocation at PingOne; None if none ended."""
        if ended is None:
            return
        for one in (ended, *ended.others):
            _log.info("grant.revoked", grant_id=one.grant_id, reason=one.reason)
            self.publish(Revocation(one.grant_id, one.resource))
        self.revoke_upstream.committed()

    async def _end(
        self, tx: Transaction, grant_id: str, reason: RevocationReason, note: str | None
    ) -> EndedGrant | None:
        grant = await tx.grants.revoke(grant_id, reason, now=self.now())
        if grant is None:
            return None
        stored = await tx.upstream_tokens.delete(grant_id)
        # PingOne has declared a dead token set dead itself: there is nothing left to revoke.
        if stored is not None and reason is not RevocationReason.UPSTREAM_DEAD:
            await self.revoke_upstream.within(tx, stored.tokens)
        await tx.revocations.announce(Revocation(grant.id, grant.resource))
        for event in end_of_grant(grant, reason, note):
            await tx.audit_events.append(event, now=self.now())
        return EndedGrant(
            grant_id=grant.id,
            resource=grant.resource,
            subject=grant.subject.subject,
            client_id=grant.client_id,
            reason=reason,
        )
