"""Dynamically registered clients (RFC 7591). Configured clients are never here."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import case, exists, func, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.clients import (
    Client,
    ClientMetadata,
    ClientOrigin,
    GrantType,
    TokenEndpointAuthMethod,
)
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.grants import is_active_grant
from auth_server.storage.tables import clients, grants

# A ceiling that was lowered is reached over several registrations, not by one long statement.
MOST_ROWS_TO_MAKE_ROOM: Final = 1000


class Clients:
    """The table `clients`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, client: Client, *, expires_at: datetime) -> None:
        """Store a registration; it is gone at `expires_at` unless it is renewed before."""
        await self._connection.execute(
            insert(clients).values(**_values(client), expires_at=expires_at)
        )

    async def find(self, client_id: str, *, now: datetime) -> Client | None:
        """The client; None when unknown, disabled or expired."""
        found = await self._connection.execute(
            select(clients).where(
                clients.c.client_id == client_id,
                clients.c.disabled_at.is_(None),
                clients.c.expires_at > now,
            )
        )
        row = found.mappings().one_or_none()
        return None if row is None else _client_of(row)

    async def renew(self, client_id: str, *, now: datetime, expires_at: datetime) -> None:
        """Note a completed authorization; the expiry moves forward only."""
        await self._connection.execute(
            update(clients)
            .where(clients.c.client_id == client_id)
            .values(
                last_used_at=now,
                expires_at=case(
                    (clients.c.expires_at < expires_at, expires_at), else_=clients.c.expires_at
                ),
            )
        )

    async def make_room(self, *, ceiling: int) -> int:
        """Delete the oldest never-used rows until at most `ceiling - 1` of them remain.

        Rows that were used stay and do not count: or many of them would cost every newcomer its
        registration. Registrations that race may pass the ceiling by their number, until the next
        one; a call deletes at most MOST_ROWS_TO_MAKE_ROOM rows.
        """
        rows = (
            select(func.count())
            .select_from(clients)
            .where(clients.c.last_used_at.is_(None))
            .scalar_subquery()
        )
        excess = rows - (ceiling - 1)
        limit = case(
            (excess < 0, 0),
            (excess > MOST_ROWS_TO_MAKE_ROOM, MOST_ROWS_TO_MAKE_ROOM),
            else_=excess,
        )
        return await delete_at_most(
            self._connection,
            clients,
            clients.c.last_used_at.is_(None),
            limit=limit,
            oldest_first=clients.c.issued_at,
        )

    async def delete_expired(self, *, now: datetime, limit: int) -> int:
        """Delete expired clients, except those that active grants still name."""
        is_in_use = exists().where(grants.c.client_id == clients.c.client_id, is_active_grant(now))
        return await delete_at_most(
            self._connection, clients, (clients.c.expires_at <= now) & ~is_in_use, limit=limit
        )


def _values(client: Client) -> dict[str, Any]:
    metadata = client.metadata
    return {
        "client_id": client.client_id,
        "client_name": metadata.client_name,
        "client_uri": metadata.client_uri,
        "redirect_uris": list(metadata.redirect_uris),
        "token_endpoint_auth_method": metadata.token_endpoint_auth_method.value,
        "grant_types": metadata.grant_types,
        "application_type": metadata.application_type,
        "scope": metadata.scope,
        "secret_digest": client.secret_digest,
        "issued_at": client.issued_at,
        "origin": client.origin.value,
    }


def _client_of(row: RowMapping) -> Client:
    return Client(
        client_id=row["client_id"],
        metadata=ClientMetadata(
            redirect_uris=tuple(row["redirect_uris"]),
            client_name=row["client_name"],
            client_uri=row["client_uri"],
            token_endpoint_auth_method=TokenEndpointAuthMethod(row["token_endpoint_auth_method"]),
            grant_types=frozenset(GrantType(name) for name in row["grant_types"]),
            application_type=row["application_type"],
            scope=row["scope"],
        ),
        origin=ClientOrigin(row["origin"]),
        issued_at=row["issued_at"],
        secret_digest=row["secret_digest"],
    )
