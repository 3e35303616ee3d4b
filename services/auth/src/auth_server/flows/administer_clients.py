"""What an operator does with clients: add one, put one out of use and back, delete one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent
from auth_server.domain.clients import ClientOrigin
from auth_server.domain.registration import parse_client_metadata
from auth_server.flows.end_access import EndAccess
from auth_server.flows.register_client import RegisteredClient, new_client
from auth_server.storage.clients import NEVER
from auth_server.storage.database import Database, Transaction
from auth_server.storage.grant_listing import GrantSelection


@dataclass(frozen=True, slots=True)
class AdministerClients:
    """Clients with a row in the database; configured ones change with the configuration."""

    database: Database
    end_access: EndAccess
    private_use_schemes: frozenset[str]
    now: Callable[[], datetime]

    async def add(self, document: Mapping[str, Any]) -> RegisteredClient:
        """Add a client that stays until it is deleted; raise the errors of a registration."""
        metadata = parse_client_metadata(document, self.private_use_schemes)
        added = new_client(metadata, ClientOrigin.OPERATOR, self.now())
        async with self.database.transaction() as tx:
            await tx.clients.insert(added.client, expires_at=NEVER)
            await self._record(tx, AuditAction.CLIENT_ADDED, added.client.client_id, None)
        return added

    async def disable(self, client_id: str, *, note: str | None = None) -> int:
        """Make the client unknown everywhere, then end its grants; return how many ended.

        In this order, for nothing new can begin meanwhile. A run that was interrupted may be
        repeated, and ends what is left.
        """
        async with self.database.transaction() as tx:
            if await tx.clients.disable(client_id, now=self.now()):
                await self._record(tx, AuditAction.CLIENT_DISABLED, client_id, note)
        return await self.end_access.all_of(GrantSelection(client_id=client_id), note=note)

    async def enable(self, client_id: str, *, note: str | None = None) -> bool:
        """Make a disabled client known again; what ended stays ended. False if it was not."""
        async with self.database.transaction() as tx:
            is_changed = await tx.clients.enable(client_id)
            if is_changed:
                await self._record(tx, AuditAction.CLIENT_ENABLED, client_id, note)
        return is_changed

    async def delete(self, client_id: str, *, note: str | None = None) -> int:
        """Disable the client and delete it; return how many grants ended.

        Its id stays unknown for ever: ids are random, and a registration always makes a new one.
        The URL of a document is neither, so such a client would come again: disable it instead.
        """
        ended = await self.disable(client_id, note=note)
        async with self.database.transaction() as tx:
            if await tx.clients.delete(client_id):
                await self._record(tx, AuditAction.CLIENT_DELETED, client_id, note)
        return ended

    async def _record(
        self, tx: Transaction, event: AuditAction, client_id: str, note: str | None
    ) -> None:
        await tx.audit_events.append(
            AuditEvent(event, AuditActor.OPERATOR, client_id=client_id, note=note), now=self.now()
        )
