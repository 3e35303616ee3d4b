"""An operator ends grants: one, a person's, a client's. The running replicas see to the rest."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from auth_server.domain.grants import RevocationReason
from auth_server.flows.revoke_grant import RevokeGrant
from auth_server.storage.database import Database
from auth_server.storage.grant_listing import GrantSelection

BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class EndGrants:
    """Each grant ends in a transaction of its own: an interrupted run has ended what it said."""

    database: Database
    revoke_grant: RevokeGrant
    now: Callable[[], datetime]

    async def one(self, grant_id: str, *, note: str | None = None) -> bool:
        """End this grant; False if it is unknown or has ended already."""
        async with self.database.transaction() as tx:
            ended = await self.revoke_grant.within(
                tx, grant_id, RevocationReason.OPERATOR, note=note
            )
        self.revoke_grant.committed(ended)
        return ended is not None

    async def all_of(self, selection: GrantSelection, *, note: str | None = None) -> int:
        """End all that are active, and those that appear meanwhile; return how many."""
        total = 0
        while True:
            async with self.database.reading() as read:
                batch = await read.grant_listing.active(selection, now=self.now(), limit=BATCH)
            if not batch:
                return total
            for grant_id in batch:
                total += await self.one(grant_id, note=note)
