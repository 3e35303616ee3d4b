"""A person disconnects what they connected: the grant ends, and the next request asks again."""

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
class DisconnectApps:
    """Each grant ends in a transaction of its own, together with the consents to its client."""

    database: Database
    revoke_grant: RevokeGrant
    now: Callable[[], datetime]

    async def one(self, subject: str, grant_id: str) -> None:
        """End this person's grant; nothing happens if it is unknown or somebody else's."""
        async with self.database.transaction() as tx:
            grant = await tx.grants.find(grant_id)
            if grant is None or grant.subject.subject != subject:
                return
            ended = await self.revoke_grant.within(tx, grant_id, RevocationReason.USER)
            # Or the client would come back without a page. It may have ended for another reason
            # in the meantime: what the person wants is the same.
            await tx.consents.forget(subject, grant.client_id)
        self.revoke_grant.committed(ended)

    async def all(self, subject: str) -> None:
        """End all that are active, and those that appear meanwhile."""
        selection = GrantSelection(subject=subject)
        while True:
            async with self.database.reading() as read:
                batch = await read.grant_listing.active(selection, now=self.now(), limit=BATCH)
            if not batch:
                break
            for grant_id in batch:
                await self.one(subject, grant_id)
        # Also of clients that have no grant any more.
        async with self.database.transaction() as tx:
            await tx.consents.forget(subject)
