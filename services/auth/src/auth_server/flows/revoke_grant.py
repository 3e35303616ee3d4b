"""Ends a grant, whoever asks for it: its handles die here, and its tokens at PingOne."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from auth_server.domain.audit import end_of_grant
from auth_server.domain.grants import RevocationReason
from auth_server.domain.revocations import Revocation
from auth_server.flows.revoke_upstream import RevokeUpstream
from auth_server.storage.database import Database, Transaction

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EndedGrant:
    """A grant that ended in this transaction: whose it was, and why it ended."""

    grant_id: str
    resource: str
    subject: str
    client_id: str
    reason: RevocationReason


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
        self,
        tx: Transaction,
        grant_id: str,
        reason: RevocationReason,
        *,
        note: str | None = None,
    ) -> EndedGrant | None:
        """End the grant as part of a larger transaction; call committed() after it.

        `note` is what an operator says about it.
        """
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

    def committed(self, ended: EndedGrant | None) -> None:
        """Tell the log and the feed, and begin the revocation at PingOne; None if none ended."""
        if ended is None:
            return
        _log.info("grant.revoked", grant_id=ended.grant_id, reason=ended.reason)
        self.publish(Revocation(ended.grant_id, ended.resource))
        self.revoke_upstream.committed()
