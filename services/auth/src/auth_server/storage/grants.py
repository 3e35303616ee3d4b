"""Grants: the parents of codes, handles and token sets, which end with them."""

from datetime import datetime
from typing import Any

from sqlalchemy import exists, insert, or_, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from auth_server.domain.grants import Grant, RevocationReason, Subject
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.tables import access_handles, codes, grants, refresh_handles
from auth_server.storage.transaction_locks import lock


class Grants:
    """The table `grants`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, grant: Grant) -> None:
        """Store a new grant."""
        await self._connection.execute(insert(grants).values(grant_values(grant)))

    async def find(self, grant_id: str) -> Grant | None:
        """The grant, active or ended; None if unknown."""
        found = await self._connection.execute(select(grants).where(grants.c.id == grant_id))
        row = found.mappings().one_or_none()
        return None if row is None else grant_of(row)

    async def touch(self, grant_id: str, *, now: datetime) -> None:
        """Note a redemption or a rotation: the grant is in use."""
        await self._connection.execute(
            update(grants).where(grants.c.id == grant_id).values(last_used_at=now)
        )

    async def hold(self, subject: str, client_id: str) -> None:
        """Have every other transaction that holds the same person and client wait for this one.

        What it sees then is what this one leaves. Held before the rows of grants, consents and
        clients, never after: crosswise would be a deadlock. (SQLite has one writer anyway.)
        """
        await lock(self._connection, "grants", subject, client_id)

    async def in_use(self, subject: str, client_id: str, *, now: datetime) -> tuple[Grant, ...]:
        """The active grants of a person to a client whose codes were redeemed.

        The most recently used first.
        """
        found = await self._connection.execute(
            select(grants)
            .where(
                grants.c.subject == subject,
                grants.c.client_id == client_id,
                is_active_grant(now),
                ~is_unredeemed(),
            )
            .order_by(grants.c.last_used_at.desc(), grants.c.created_at.desc(), grants.c.id)
        )
        return tuple(grant_of(row) for row in found.mappings())

    async def active(self, subject: str, client_id: str, *, now: datetime) -> tuple[str, ...]:
        """The ids of all active grants of a person to a client, in the order of the ids."""
        return await self._ids(subject, client_id, is_active_grant(now))

    async def unredeemed(
        self, subject: str, client_id: str, *, resource: str | None = None
    ) -> tuple[str, ...]:
        """The ids of grants that have not ended, and whose codes nobody has redeemed."""
        conditions = [grants.c.revoked_at.is_(None), is_unredeemed()]
        if resource is not None:
            conditions.append(grants.c.resource == resource)
        return await self._ids(subject, client_id, *conditions)

    async def _ids(
        self, subject: str, client_id: str, *conditions: ColumnElement[bool]
    ) -> tuple[str, ...]:
        found = await self._connection.execute(
            select(grants.c.id)
            .where(grants.c.subject == subject, grants.c.client_id == client_id, *conditions)
            # In one order everywhere: rows locked crosswise would be a deadlock.
            .order_by(grants.c.id)
        )
        return tuple(found.scalars())

    async def revoke(
        self, grant_id: str, reason: RevocationReason, *, now: datetime
    ) -> Grant | None:
        """End the grant; one of several callers gets it, the others and the unknown get None."""
        revoked = await self._connection.execute(
            update(grants)
            .where(grants.c.id == grant_id, grants.c.revoked_at.is_(None))
            .values(revoked_at=now, revocation_reason=reason.value)
            .returning(grants)
        )
        row = revoked.mappings().one_or_none()
        return None if row is None else grant_of(row)

    async def unreachable(self, *, before: datetime, limit: int) -> tuple[str, ...]:
        """Grants that were not revoked, and that no handle or code has led to since then.

        Each has expired, or its handles have, or nobody redeemed its code in time.
        """
        leads = (
            exists().where(codes.c.grant_id == grants.c.id, *_is_redeemable(before)),
            exists().where(
                access_handles.c.grant_id == grants.c.id, access_handles.c.expires_at > before
            ),
            exists().where(
                refresh_handles.c.grant_id == grants.c.id,
                refresh_handles.c.expires_at > before,
                refresh_handles.c.rotated_at.is_(None),
            ),
        )
        found = await self._connection.execute(
            select(grants.c.id).where(grants.c.revoked_at.is_(None), ~or_(*leads)).limit(limit)
        )
        return tuple(found.scalars())

    async def delete_ended(self, *, before: datetime, limit: int) -> int:
        """Delete grants revoked or expired by then, with all their children; return how many."""
        return await delete_at_most(
            self._connection,
            grants,
            or_(grants.c.revoked_at <= before, grants.c.expires_at <= before),
            limit=limit,
        )


def _is_redeemable(before: datetime) -> tuple[ColumnElement[bool], ...]:
    return codes.c.redeemed_at.is_(None), codes.c.expires_at > before


def is_unredeemed() -> ColumnElement[bool]:
    """SQL for a grant whose code nobody has redeemed: nothing has proven that it is wanted."""
    return exists().where(codes.c.grant_id == grants.c.id, codes.c.redeemed_at.is_(None))


def is_active_grant(now: ColumnElement[datetime] | datetime) -> ColumnElement[bool]:
    """SQL for Grant.is_active."""
    return grants.c.revoked_at.is_(None) & (grants.c.expires_at > now)


def grant_values(grant: Grant) -> dict[str, Any]:
    """The columns of a grant."""
    reason = grant.revocation_reason
    return {
        "id": grant.id,
        "client_id": grant.client_id,
        "subject": grant.subject.subject,
        "username": grant.subject.username,
        "resource": grant.resource,
        "scopes": grant.scopes,
        "created_at": grant.created_at,
        "expires_at": grant.expires_at,
        "last_used_at": grant.last_used_at,
        "browser_digest": grant.browser_digest,
        "revoked_at": grant.revoked_at,
        "revocation_reason": None if reason is None else reason.value,
    }


def grant_of(row: RowMapping) -> Grant:
    """The grant in a row, which may be a joined one."""
    reason = row[grants.c.revocation_reason]
    return Grant(
        id=row[grants.c.id],
        client_id=row[grants.c.client_id],
        subject=Subject(row[grants.c.subject], row[grants.c.username]),
        resource=row[grants.c.resource],
        scopes=row[grants.c.scopes],
        created_at=row[grants.c.created_at],
        expires_at=row[grants.c.expires_at],
        last_used_at=row[grants.c.last_used_at],
        browser_digest=row[grants.c.browser_digest],
        revoked_at=row[grants.c.revoked_at],
        revocation_reason=None if reason is None else RevocationReason(reason),
    )
