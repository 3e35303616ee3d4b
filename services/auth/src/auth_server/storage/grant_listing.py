"""Grants as an operator looks for them: by person, by client, with what hangs on them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, true, union
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from auth_server.domain.grants import Grant
from auth_server.storage.grants import grant_of, is_active_grant, is_unredeemed
from auth_server.storage.tables import (
    access_handles,
    authorizations,
    clients,
    consents,
    grants,
    refresh_handles,
    upstream_tokens,
)


@dataclass(frozen=True, slots=True)
class GrantSelection:
    """Which grants; None is every one."""

    subject: str | None = None
    client_id: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The SQL of it."""
        return self.conditions_on(grants.c.subject, grants.c.client_id)

    def conditions_on(
        self, subject: ColumnElement[str], client_id: ColumnElement[str]
    ) -> list[ColumnElement[bool]]:
        """The SQL of it for other columns than those of grants."""
        found = []
        if self.subject is not None:
            found.append(subject == self.subject)
        if self.client_id is not None:
            found.append(client_id == self.client_id)
        return found


@dataclass(frozen=True, slots=True)
class ListedGrant:
    """A grant and its client's name, which is None for a client without a row."""

    grant: Grant
    client_name: str | None


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """What may be shown of a token set: everything but the tokens."""

    version: int
    lease_owner: str | None
    lease_until: datetime | None
    attempted_at: datetime | None


class GrantListing:
    """Reads the table `grants` and its children; changes nothing."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def newest(
        self,
        selection: GrantSelection,
        *,
        with_ended: bool,
        now: datetime,
        limit: int,
        with_unredeemed: bool = True,
    ) -> tuple[ListedGrant, ...]:
        """The last `limit` grants that were made, the newest first."""
        conditions = selection.conditions()
        if not with_ended:
            conditions.append(is_active_grant(now))
        if not with_unredeemed:
            conditions.append(~is_unredeemed())
        found = await self._connection.execute(
            select(grants, clients.c.client_name)
            .outerjoin(clients, clients.c.client_id == grants.c.client_id)
            .where(*conditions)
            .order_by(grants.c.created_at.desc(), grants.c.id)
            .limit(limit)
        )
        return tuple(
            ListedGrant(grant_of(row), row[clients.c.client_name]) for row in found.mappings()
        )

    async def active(
        self, selection: GrantSelection, *, now: datetime, limit: int
    ) -> tuple[str, ...]:
        """The ids of up to `limit` active grants."""
        found = await self._connection.execute(
            select(grants.c.id).where(is_active_grant(now), *selection.conditions()).limit(limit)
        )
        return tuple(found.scalars())

    async def with_access(
        self, selection: GrantSelection, *, now: datetime, limit: int
    ) -> frozenset[tuple[str, str]]:
        """Up to `limit` pairs of a person and a client between which there is anything to end.

        That is an active grant, a remembered consent, or a sign-in that waits for a second one.
        """
        sign_in = authorizations.c
        rows = (
            (grants.c.subject, grants.c.client_id, is_active_grant(now)),
            (consents.c.subject, consents.c.client_id, true()),
            (sign_in.account_subject, sign_in.client_id, sign_in.account_subject.is_not(None)),
        )
        pairs = union(
            *(
                select(subject, client_id).where(
                    condition, *selection.conditions_on(subject, client_id)
                )
                for subject, client_id, condition in rows
            )
        )
        found = await self._connection.execute(pairs.limit(limit))
        return frozenset((subject, client_id) for subject, client_id in found)

    async def count_active(self, selection: GrantSelection, *, now: datetime) -> int:
        """How many grants are active."""
        found = await self._connection.execute(
            select(func.count())
            .select_from(grants)
            .where(is_active_grant(now), *selection.conditions())
        )
        return found.scalar_one()

    async def count_live_handles(self, grant_id: str, *, now: datetime) -> tuple[int, int]:
        """How many access and refresh handles of the grant could still be used."""
        is_granted = (
            select(grants.c.id).where(grants.c.id == grant_id, is_active_grant(now)).exists()
        )
        access = (
            select(func.count())
            .select_from(access_handles)
            .where(
                access_handles.c.grant_id == grant_id, access_handles.c.expires_at > now, is_granted
            )
        )
        refresh = (
            select(func.count())
            .select_from(refresh_handles)
            .where(
                refresh_handles.c.grant_id == grant_id,
                refresh_handles.c.expires_at > now,
                refresh_handles.c.rotated_at.is_(None),
                is_granted,
            )
        )
        found = await self._connection.execute(
            select(access.scalar_subquery(), refresh.scalar_subquery())
        )
        row = found.one()
        return row[0], row[1]

    async def upstream_state(self, grant_id: str) -> UpstreamState | None:
        """The state of the grant's PingOne token set; None if it has none (any more)."""
        found = await self._connection.execute(
            select(
                upstream_tokens.c.version,
                upstream_tokens.c.lease_owner,
                upstream_tokens.c.lease_until,
                upstream_tokens.c.attempted_at,
            ).where(upstream_tokens.c.grant_id == grant_id)
        )
        row = found.one_or_none()
        return None if row is None else UpstreamState(*row)
