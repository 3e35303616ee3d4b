"""What an operator does with clients: add one, put one out of use and back, delete one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent
from auth_server.domain.clients import Client, ClientOrigin, TokenEndpointAuthMethod
from auth_server.domain.handles import digest, new_secret
from auth_server.domain.registration import parse_client_metadata
from auth_server.flows.end_grants import EndGrants
from auth_server.flows.register_client import RegisteredClient
from auth_server.storage.clients import NEVER
from auth_server.storage.database import Database, Transaction
from auth_server.storage.grant_listing import GrantSelection


@dataclass(frozen=True, slots=True)
class AdministerClients:
    """Clients with a row in the database; configured ones change with the configuration."""

    database: Database
    end_grants: EndGrants
    private_use_schemes: frozenset[str]
    now: Callable[[], datetime]

    async def add(self, document: Mapping[str, Any]) -> RegisteredClient:
        """Add a client that stays until it is deleted; raise the errors of a registration."""
        metadata = parse_client_metadata(document, self.private_use_schemes)
        is_public = metadata.token_endpoint_auth_method is TokenEndpointAuthMethod.NONE
        client_secret = None if is_public else new_secret()
        client = Client(
            client_id=str(uuid4()),
            metadata=metadata,
            origin=ClientOrigin.OPERATOR,
            issued_at=self.now(),
            secret_digest=None if client_secret is None else digest(client_secret),
        )
        async with self.database.transaction() as tx:
            await tx.clients.insert(client, expires_at=NEVER)
            await self._record(tx, AuditAction.CLIENT_ADDED, client.client_id, None)
        return RegisteredClient(client, client_secret)

    async def disable(self, client_id: str, *, note: str | None = None) -> int:
        """Make the client unknown everywhere, then end its grants; return how many ended.

        In this order, for nothing new can begin meanwhile. A run that was interrupted may be
        repeated, and ends what is left.
        """
        async with self.database.transaction() as tx:
            if await tx.clients.disable(client_id, now=self.now()):
                await self._record(tx, AuditAction.CLIENT_DISABLED, client_id, note)
        return await self.end_grants.all_of(GrantSelection(client_id=client_id), note=note)

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
