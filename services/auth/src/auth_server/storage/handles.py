"""Access and refresh handles, by digest: the raw ones are never here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, bindparam, exists, insert, select, union_all, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.grants import Grant
from auth_server.domain.handles import Digest, Handle, RefreshHandle
from auth_server.domain.upstream_tokens import StoredUpstreamTokens
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.column_types import UtcDateTime
from auth_server.storage.encryption import Encryption
from auth_server.storage.grants import grant_of, is_active_grant
from auth_server.storage.tables import (
    access_handles,
    grants,
    refresh_handles,
    upstream_tokens,
)
from auth_server.storage.upstream_tokens import stored_tokens_of


@dataclass(frozen=True, slots=True)
class ActiveHandle:
    """A live access handle with everything that an introspection answer needs."""

    handle: Handle
    grant: Grant
    upstream: StoredUpstreamTokens


# Every introspection that mcp's cache does not answer runs this: it is built once.
_NOW = bindparam("now", type_=UtcDateTime)
_FIND_ACTIVE_ACCESS = (
    select(access_handles, grants, upstream_tokens)
    .join(grants, grants.c.id == access_handles.c.grant_id)
    .join(upstream_tokens, upstream_tokens.c.grant_id == grants.c.id)
    .where(
        access_handles.c.access_digest == bindparam("access_digest"),
        access_handles.c.expires_at > _NOW,
        is_active_grant(_NOW),
    )
)


class Handles:
    """The tables `access_handles` and `refresh_handles`."""

    def __init__(self, connection: AsyncConnection, encryption: Encryption) -> None:
        self._connection = connection
        self._encryption = encryption

    async def insert_access(self, access_digest: Digest, handle: Handle) -> None:
        """Store a fresh access handle."""
        await self._connection.execute(
            insert(access_handles).values(access_digest=access_digest, **_values(handle))
        )

    async def insert_refresh(self, refresh_digest: Digest, handle: RefreshHandle) -> None:
        """Store a fresh refresh handle."""
        await self._connection.execute(
            insert(refresh_handles).values(
                refresh_digest=refresh_digest,
                rotated_at=handle.rotated_at,
                answer_encrypted=handle.sealed_answer,
                **_values(handle),
            )
        )

    async def find_active_access(
        self, access_digest: Digest, *, now: datetime
    ) -> ActiveHandle | None:
        """The handle with its grant and token set; None unless all three are there and alive."""
        found = await self._connection.execute(
            _FIND_ACTIVE_ACCESS, {"access_digest": access_digest, "now": now}
        )
        row = found.mappings().one_or_none()
        if row is None:
            return None
        return ActiveHandle(
            handle=Handle(**_members(row, access_handles)),
            grant=grant_of(row),
            upstream=stored_tokens_of(row, self._encryption),
        )

    async def rotate(
        self,
        refresh_digest: Digest,
        client_id: str,
        *,
        sealed_answer: bytes | None,
        now: datetime,
    ) -> bool:
        """Spend the refresh handle and leave the answer: one caller can, of this client's grant.

        False if it is spent, expired, unknown or another client's, or if its grant has ended.
        """
        is_granted = exists().where(
            grants.c.id == refresh_handles.c.grant_id,
            grants.c.client_id == client_id,
            is_active_grant(now),
        )
        rotated = await self._connection.execute(
            update(refresh_handles)
            .where(
                refresh_handles.c.refresh_digest == refresh_digest,
                refresh_handles.c.rotated_at.is_(None),
                refresh_handles.c.expires_at > now,
                is_granted,
            )
            .values(rotated_at=now, answer_encrypted=sealed_answer)
            .returning(refresh_handles.c.refresh_digest)
        )
        return rotated.one_or_none() is not None

    async def find_refresh(self, refresh_digest: Digest) -> tuple[RefreshHandle, Grant] | None:
        """The refresh handle and its grant, in whatever state they are; None if unknown."""
        found = await self._connection.execute(
            select(refresh_handles, grants)
            .join(grants, grants.c.id == refresh_handles.c.grant_id)
            .where(refresh_handles.c.refresh_digest == refresh_digest)
        )
        row = found.mappings().one_or_none()
        return None if row is None else (_refresh_handle_of(row), grant_of(row))

    async def find_grant_of(self, any_digest: Digest) -> Grant | None:
        """The grant of an access or refresh handle, expired or not; None if unknown."""
        grant_ids = union_all(
            select(access_handles.c.grant_id).where(access_handles.c.access_digest == any_digest),
            select(refresh_handles.c.grant_id).where(
                refresh_handles.c.refresh_digest == any_digest
            ),
        )
        found = await self._connection.execute(select(grants).where(grants.c.id.in_(grant_ids)))
        row = found.mappings().one_or_none()
        return None if row is None else grant_of(row)

    async def erase_sealed_answers(self, *, before: datetime, limit: int) -> int:
        """Erase the answers of rotations until then, at most `limit`; return how many.

        The spent handles stay. Rows that another transaction holds are left for the next time.
        """
        stale = (
            select(refresh_handles.c.refresh_digest)
            .where(
                refresh_handles.c.answer_encrypted.is_not(None),
                refresh_handles.c.rotated_at <= before,
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("stale")
        )
        erased = await self._connection.execute(
            update(refresh_handles)
            .where(refresh_handles.c.refresh_digest.in_(select(stale)))
            .values(answer_encrypted=None)
            .returning(refresh_handles.c.refresh_digest)
        )
        return len(erased.all())

    async def delete_expired(self, *, now: datetime, limit: int) -> int:
        """Delete expired handles of both kinds, at most `limit` together.

        A rotated refresh handle stays until it expires: its reuse must be noticed.
        """
        deleted = await delete_at_most(
            self._connection, access_handles, access_handles.c.expires_at <= now, limit=limit
        )
        return deleted + await delete_at_most(
            self._connection,
            refresh_handles,
            refresh_handles.c.expires_at <= now,
            limit=limit - deleted,
        )


def _values(handle: Handle) -> dict[str, Any]:
    return {
        "grant_id": handle.grant_id,
        "scopes": handle.scopes,
        "issued_at": handle.issued_at,
        "expires_at": handle.expires_at,
    }


def _members(row: RowMapping, table: Table) -> dict[str, Any]:
    members = ("grant_id", "scopes", "issued_at", "expires_at")
    return {member: row[table.c[member]] for member in members}


def _refresh_handle_of(row: RowMapping) -> RefreshHandle:
    return RefreshHandle(
        **_members(row, refresh_handles),
        rotated_at=row[refresh_handles.c.rotated_at],
        sealed_answer=row[refresh_handles.c.answer_encrypted],
    )
