"""Ends a grant, whoever asks for it: its handles die here, its tokens are revoked at PingOne."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from auth_server.domain.grants import RevocationReason
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.flows.revoke_upstream import RevokeUpstream
from auth_server.storage.database import Database, Transaction

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EndedGrant:
    """A grant that ended in this transaction, and the tokens to revoke once it is committed."""

    grant_id: str
    reason: RevocationReason
    tokens: UpstreamTokens | None


@dataclass(frozen=True, slots=True)
class RevokeGrant:
    """The one way a grant ends before its time."""

    database: Database
    revoke_upstream: RevokeUpstream
    now: Callable[[], datetime]

    async def __call__(self, grant_id: str, reason: RevocationReason) -> None:
        """End the grant; nothing happens if it has ended already."""
        async with self.database.transaction() as tx:
            ended = await self.within(tx, grant_id, reason)
        self.committed(ended)

    async def within(
        self, tx: Transaction, grant_id: str, reason: RevocationReason
    ) -> EndedGrant | None:
        """End the grant as part of a larger transaction; call committed() after it."""
        if await tx.grants.revoke(grant_id, reason, now=self.now()) is None:
            return None
        stored = await tx.upstream_tokens.delete(grant_id)
        return EndedGrant(grant_id, reason, None if stored is None else stored.tokens)

    def committed(self, ended: EndedGrant | None) -> None:
        """Revoke at PingOne what ended here, in the background."""
        if ended is None:
            return
        _log.info("grant.revoked", grant_id=ended.grant_id, reason=ended.reason)
        # PingOne has declared a dead token set dead itself: there is nothing left to revoke.
        if ended.tokens is not None and ended.reason is not RevocationReason.UPSTREAM_DEAD:
            self.revoke_upstream(ended.tokens)
