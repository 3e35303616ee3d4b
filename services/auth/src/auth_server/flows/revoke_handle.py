"""RFC 7009: a client gives a handle back, which ends the whole grant."""

from dataclasses import dataclass

from auth_server.domain.clients import Client
from auth_server.domain.grants import RevocationReason
from auth_server.domain.handles import ACCESS_PREFIX, REFRESH_PREFIX, digest, is_well_formed
from auth_server.flows.revoke_grant import RevokeGrant
from auth_server.storage.database import Database


@dataclass(frozen=True, slots=True)
class RevokeHandle:
    """Finds the grant of either kind of handle, live or not."""

    database: Database
    revoke_grant: RevokeGrant

    async def __call__(self, client: Client, raw_handle: str) -> None:
        """End the grant; an unknown handle, or another client's, changes nothing."""
        if not any(
            is_well_formed(raw_handle, prefix) for prefix in (ACCESS_PREFIX, REFRESH_PREFIX)
        ):
            return
        async with self.database.reading() as read:
            grant = await read.handles.find_grant_of(digest(raw_handle))
        # RFC 7009 2.1: the handle must have been issued to this client. Saying so would tell a
        # stranger that the handle exists.
        if grant is not None and grant.client_id == client.client_id:
            await self.revoke_grant(grant.id, RevocationReason.CLIENT)
