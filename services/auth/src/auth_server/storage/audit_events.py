"""The audit trail: appended to in the transaction of what it records, never changed."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from auth_server.domain.audit import AuditEvent, RecordedEvent
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.tables import audit_events
from service_kit.client_address import current_client_address

_COLUMNS: Final = tuple(audit_events.c[one.name] for one in fields(RecordedEvent))


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events; None is every one. `since` is included, `until` is not."""

    since: datetime | None = None
    until: datetime | None = None
    event: str | None = None
    grant_id: str | None = None
    client_id: str | None = None
    subject: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The SQL of it."""
        found = [
            audit_events.c[name] == value
            for name in ("event", "grant_id", "client_id", "subject")
            if (value := getattr(self, name)) is not None
        ]
        if self.since is not None:
            found.append(audit_events.c.occurred_at >= self.since)
        if self.until is not None:
            found.append(audit_events.c.occurred_at < self.until)
        return found


class AuditEvents:
    """The table `audit_events`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def append(self, event: AuditEvent, *, now: datetime) -> None:
        """Record an event of this moment, with the address of whoever acts over the network."""
        await self._connection.execute(
            insert(audit_events).values(
                occurred_at=now,
                event=event.event.value,
                outcome=event.outcome.value,
                reason=event.reason,
                actor=event.actor.value,
                subject=event.subject,
                client_id=event.client_id,
                grant_id=event.grant_id,
                address=current_client_address() if event.actor.has_address else None,
                note=event.note,
            )
        )

    async def page(
        self, wanted: AuditFilter, *, after_id: int, up_to_id: int, limit: int
    ) -> tuple[RecordedEvent, ...]:
        """The first `limit` events from behind `after_id` to `up_to_id`, in their order."""
        found = await self._connection.execute(
            select(*_COLUMNS)
            .where(
                audit_events.c.id > after_id, audit_events.c.id <= up_to_id, *wanted.conditions()
            )
            .order_by(audit_events.c.id)
            .limit(limit)
        )
        return tuple(RecordedEvent(*row) for row in found)

    async def newest(self, wanted: AuditFilter, *, limit: int) -> tuple[RecordedEvent, ...]:
        """The last `limit` events, the newest at the end."""
        found = await self._connection.execute(
            select(*_COLUMNS)
            .where(*wanted.conditions())
            .order_by(audit_events.c.id.desc())
            .limit(limit)
        )
        return tuple(RecordedEvent(*row) for row in reversed(found.all()))

    async def last_id(self) -> int:
        """The highest id that is committed; 0 if there is none."""
        found = await self._connection.execute(select(func.max(audit_events.c.id)))
        return found.scalar_one() or 0

    async def delete_before(self, before: datetime, *, limit: int) -> int:
        """Delete events older than that; return how many."""
        return await delete_at_most(
            self._connection, audit_events, audit_events.c.occurred_at < before, limit=limit
        )
