"""Dynamic client registration (RFC 7591): every request makes a new client."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent
from auth_server.domain.clients import Client, ClientMetadata, ClientOrigin, SeenFrom
from auth_server.domain.errors import InvalidToken, MissingToken
from auth_server.domain.handles import INITIAL_PREFIX, digest, is_well_formed, new_secret
from auth_server.domain.lifetimes import Lifetimes
from auth_server.domain.registration import parse_client_metadata
from auth_server.storage.database import Database, Transaction

_REFUSED = "the initial access token is unknown, expired, revoked or used up"


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A new client and its secret, which is told once and stored as a digest."""

    client: Client
    client_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class RegisterClient:
    """Stores a client that expires soon unless it redeems a code.

    `needs_token`: only for who holds an initial access token (RFC 7591 3), and spends a use of it.
    """

    database: Database
    lifetimes: Lifetimes
    private_use_schemes: frozenset[str]
    ceiling: int
    needs_token: bool
    seen_from: Callable[[], SeenFrom]
    now: Callable[[], datetime]

    async def __call__(
        self, document: Mapping[str, Any], raw_token: str | None = None
    ) -> RegisteredClient:
        """Register; raise InvalidRedirectUri or InvalidClientMetadata (RFC 7591 3.2.2).

        Raises InvalidToken where a token is needed; elsewhere one that came along is left alone.
        """
        self.check_presence(raw_token)
        metadata = parse_client_metadata(document, self.private_use_schemes)
        registered = new_client(metadata, ClientOrigin.REGISTERED, self.now())
        async with self.database.transaction() as tx:
            token_id = await self._spend_use(tx, raw_token) if self.needs_token else None
            await self._store(tx, registered.client, token_id)
        return registered

    def check_presence(self, raw_token: str | None) -> None:
        """Raise InvalidToken if a token is needed, and this is none at first sight."""
        if not self.needs_token:
            return
        if raw_token is None:
            raise MissingToken("registration needs an initial access token")
        if not is_well_formed(raw_token, INITIAL_PREFIX):
            raise InvalidToken(_REFUSED)

    async def _spend_use(self, tx: Transaction, raw_token: str | None) -> str:
        token_id = await tx.initial_access_tokens.spend_use(digest(raw_token or ""), now=self.now())
        if token_id is None:
            raise InvalidToken(_REFUSED)
        return token_id

    async def _store(self, tx: Transaction, client: Client, token_id: str | None) -> None:
        # Nobody is refused for the sake of abandoned registrations: those make room instead.
        await tx.clients.make_room(client.origin, ceiling=self.ceiling)
        await tx.clients.insert(
            client,
            expires_at=client.issued_at + self.lifetimes.unused_client,
            seen_from=self.seen_from(),
        )
        await tx.audit_events.append(
            AuditEvent(
                AuditAction.CLIENT_REGISTERED,
                AuditActor.CLIENT,
                client_id=client.client_id,
                note=None if token_id is None else f"with initial access token {token_id}",
            ),
            now=client.issued_at,
        )


def new_client(
    metadata: ClientMetadata, origin: ClientOrigin, issued_at: datetime
) -> RegisteredClient:
    """Make a client with a random client_id, and with a secret if its method has one."""
    client_secret = new_secret() if metadata.token_endpoint_auth_method.has_secret else None
    client = Client(
        client_id=str(uuid4()),
        metadata=metadata,
        origin=origin,
        issued_at=issued_at,
        secret_digest=None if client_secret is None else digest(client_secret),
    )
    return RegisteredClient(client, client_secret)
