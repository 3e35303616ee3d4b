"""Clients that registered, publish themselves, or were added. Configured ones are never here."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import case, delete, exists, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from auth_server.domain.clients import (
    NOWHERE,
    Client,
    ClientMetadata,
    ClientOrigin,
    GrantType,
    SeenFrom,
    TokenEndpointAuthMethod,
)
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.client_room import IS_PUBLISHED, MAY_GO, make_room
from auth_server.storage.grants import is_active_grant
from auth_server.storage.tables import clients, codes, grants

RENEWED_EVERY: Final = timedelta(minutes=1)
# The expiry of what an operator added.
NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A client as an operator sees it: also one that no endpoint knows any more."""

    client: Client
    expires_at: datetime
    last_used_at: datetime | None
    disabled_at: datetime | None
    fresh_until: datetime | None = None

    def is_fresh(self, now: datetime) -> bool:
        """True for the copy of a document that serves without asking its host again."""
        return self.fresh_until is not None and now < self.fresh_until

    @property
    def is_used(self) -> bool:
        """True once it has redeemed a code, which takes somebody with an account at PingOne."""
        return self.last_used_at is not None


class Clients:
    """The table `clients`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(
        self, client: Client, *, expires_at: datetime, seen_from: SeenFrom = NOWHERE
    ) -> None:
        """Store a client; it is gone at `expires_at` unless it is renewed before."""
        await self._connection.execute(
            insert(clients).values(**_values(client), **asdict(seen_from), expires_at=expires_at)
        )

    async def put_document(
        self,
        client: Client,
        *,
        fresh_until: datetime,
        expires_at: datetime,
        seen_from: SeenFrom = NOWHERE,
    ) -> Client | None:
        """Store what a client publishes of itself, in place of what it published before.

        The expiry moves forward only. None, and nothing is stored, if the client is disabled.
        Replicas that fetch at once both succeed: the later copy stays.
        """
        is_sqlite = self._connection.dialect.name == "sqlite"
        new = (sqlite if is_sqlite else postgresql).insert(clients)
        new = new.values(
            **_values(client), **asdict(seen_from), fresh_until=fresh_until, expires_at=expires_at
        )
        kept = {
            name: new.excluded[name]
            for name in (*_values(client), "fresh_until")
            if name not in {"client_id", "issued_at", "origin"}
        }
        kept["expires_at"] = case(
            (clients.c.expires_at < new.excluded.expires_at, new.excluded.expires_at),
            else_=clients.c.expires_at,
        )
        stored = await self._connection.execute(
            new.on_conflict_do_update(
                index_elements=[clients.c.client_id],
                set_=kept,
                where=IS_PUBLISHED & clients.c.disabled_at.is_(None),
            ).returning(clients)
        )
        row = stored.mappings().one_or_none()
        return None if row is None else _client_of(row)

    async def postpone_document(self, client_id: str, *, fresh_until: datetime) -> None:
        """Let the copy serve until then: its host had nothing better. Never shortens."""
        await self._connection.execute(
            update(clients)
            .where(
                clients.c.client_id == client_id,
                IS_PUBLISHED,
                clients.c.disabled_at.is_(None),
                clients.c.fresh_until < fresh_until,
            )
            .values(fresh_until=fresh_until)
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

    async def awaited(self, client_id: str, *, now: datetime) -> Client | None:
        """The client, even if it has just expired: one of its codes can be redeemed.

        It was known when the sign-on began that led to the code.
        """
        is_awaited = exists().where(
            grants.c.client_id == clients.c.client_id,
            is_active_grant(now),
            codes.c.grant_id == grants.c.id,
            codes.c.redeemed_at.is_(None),
            codes.c.expires_at > now,
        )
        found = await self._connection.execute(
            select(clients).where(
                clients.c.client_id == client_id, clients.c.disabled_at.is_(None), is_awaited
            )
        )
        row = found.mappings().one_or_none()
        return None if row is None else _client_of(row)

    async def record(self, client_id: str) -> ClientRecord | None:
        """The client in whatever state; None if there is no such row."""
        found = await self._connection.execute(
            select(clients).where(clients.c.client_id == client_id)
        )
        row = found.mappings().one_or_none()
        return None if row is None else _record_of(row)

    async def records(self, client_ids: Collection[str]) -> dict[str, ClientRecord]:
        """Those of these clients that have a row, in whatever state, by client_id."""
        found = await self._connection.execute(
            select(clients).where(clients.c.client_id.in_(client_ids))
        )
        return {row["client_id"]: _record_of(row) for row in found.mappings()}

    async def newest(self, *, limit: int) -> tuple[ClientRecord, ...]:
        """The last `limit` clients to arrive, the newest first."""
        found = await self._connection.execute(
            select(clients).order_by(clients.c.issued_at.desc(), clients.c.client_id).limit(limit)
        )
        return tuple(_record_of(row) for row in found.mappings())

    async def disable(self, client_id: str, *, now: datetime) -> bool:
        """Make the client unknown to every endpoint; False if it is already, or has no row."""
        return await self._set_disabled_at(client_id, clients.c.disabled_at.is_(None), now)

    async def enable(self, client_id: str) -> bool:
        """Make a disabled client known again; False if it is not disabled, or has no row."""
        return await self._set_disabled_at(client_id, clients.c.disabled_at.is_not(None), None)

    async def delete(self, client_id: str) -> bool:
        """Delete the row; no registration ever gives its id again. False if it is gone already."""
        deleted = await self._connection.execute(
            delete(clients).where(clients.c.client_id == client_id).returning(clients.c.client_id)
        )
        return deleted.one_or_none() is not None

    async def renew(self, client_id: str, *, now: datetime, expires_at: datetime) -> None:
        """Note that the client is in use; the expiry moves forward only.

        Once in RENEWED_EVERY: all people who use a client share its row, and would wait for it.
        """
        is_due = clients.c.last_used_at.is_(None) | (clients.c.last_used_at <= now - RENEWED_EVERY)
        await self._connection.execute(
            update(clients)
            .where(clients.c.client_id == client_id, is_due)
            .values(
                last_used_at=now,
                # It makes no room any more, so nobody needs to know.
                network=None,
                wider_network=None,
                expires_at=case(
                    (clients.c.expires_at < expires_at, expires_at), else_=clients.c.expires_at
                ),
            )
        )

    async def make_room(self, origin: ClientOrigin, *, ceiling: int) -> int:
        """Delete never-used clients of this origin until fewer than `ceiling` of them remain.

        The oldest of the network that most of them came from go first. Each origin has its
        ceiling: who needs no token to be known by a document pushes out nobody who needed one to
        register. Rows that were used stay and do not count: or many of them would cost every
        newcomer its registration. Newcomers that race may pass the ceiling by their number, until
        the next one.
        """
        return await make_room(self._connection, origin, ceiling=ceiling)

    async def delete_expired(self, *, now: datetime, limit: int) -> int:
        """Delete expired registrations, except those that active grants still name."""
        is_in_use = exists().where(grants.c.client_id == clients.c.client_id, is_active_grant(now))
        return await delete_at_most(
            self._connection,
            clients,
            (clients.c.expires_at <= now) & MAY_GO & ~is_in_use,
            limit=limit,
        )

    async def _set_disabled_at(
        self, client_id: str, condition: ColumnElement[bool], value: datetime | None
    ) -> bool:
        changed = await self._connection.execute(
            update(clients)
            .where(clients.c.client_id == client_id, condition)
            .values(disabled_at=value)
            .returning(clients.c.client_id)
        )
        return changed.one_or_none() is not None


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
        "jwks": None if metadata.jwks is None else dict(metadata.jwks),
        "jwks_uri": metadata.jwks_uri,
        "token_endpoint_auth_signing_alg": metadata.token_endpoint_auth_signing_alg,
    }


def _record_of(row: RowMapping) -> ClientRecord:
    return ClientRecord(
        _client_of(row),
        row["expires_at"],
        row["last_used_at"],
        row["disabled_at"],
        row["fresh_until"],
    )


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
            jwks=row["jwks"],
            jwks_uri=row["jwks_uri"],
            token_endpoint_auth_signing_alg=row["token_endpoint_auth_signing_alg"],
        ),
        origin=ClientOrigin(row["origin"]),
        issued_at=row["issued_at"],
        secret_digest=row["secret_digest"],
    )
