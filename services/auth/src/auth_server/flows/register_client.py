"""Dynamic client registration (RFC 7591): every request makes a new client."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent
from auth_server.domain.clients import Client, ClientOrigin, TokenEndpointAuthMethod
from auth_server.domain.handles import digest, new_secret
from auth_server.domain.lifetimes import Lifetimes
from auth_server.domain.registration import parse_client_metadata
from auth_server.storage.database import Database


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A new client and its secret, which is told once and stored as a digest."""

    client: Client
    client_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class RegisterClient:
    """Stores a client that expires soon unless somebody signs in with it."""

    database: Database
    lifetimes: Lifetimes
    private_use_schemes: frozenset[str]
    ceiling: int
    now: Callable[[], datetime]

    async def __call__(self, document: Mapping[str, Any]) -> RegisteredClient:
        """Register; raise InvalidRedirectUri or InvalidClientMetadata (RFC 7591 3.2.2)."""
        metadata = parse_client_metadata(document, self.private_use_schemes)
        is_public = metadata.token_endpoint_auth_method is TokenEndpointAuthMethod.NONE
        client_secret = None if is_public else new_secret()
        now = self.now()
        client = Client(
            client_id=str(uuid4()),
            metadata=metadata,
            origin=ClientOrigin.REGISTERED,
            issued_at=now,
            secret_digest=None if client_secret is None else digest(client_secret),
        )
        async with self.database.transaction() as tx:
            # Nobody is refused for the sake of abandoned registrations: those make room instead.
            await tx.clients.make_room(ceiling=self.ceiling)
            await tx.clients.insert(client, expires_at=now + self.lifetimes.unused_client)
            await tx.audit_events.append(
                AuditEvent(
                    AuditAction.CLIENT_REGISTERED, AuditActor.CLIENT, client_id=client.client_id
                ),
                now=now,
            )
        return RegisteredClient(client, client_secret)
