"""Deletes in bites, so that a sweep never holds locks for long."""

from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement


async def delete_at_most(
    connection: AsyncConnection,
    table: Table,
    condition: ColumnElement[bool],
    *,
    limit: int | ColumnElement[int],
    oldest_first: ColumnElement[datetime] | None = None,
) -> int:
    """Delete up to `limit` rows in one statement; return how many went.

    Rows that another transaction holds are left to it: replicas that sweep at once share the work
    instead of waiting for each other.
    """
    key: list[ColumnElement[Any]] = list(table.primary_key.columns)
    candidates = select(*key).where(condition).limit(limit).with_for_update(skip_locked=True)
    if oldest_first is not None:
        candidates = candidates.order_by(oldest_first, *key)
    # A CTE is evaluated once. PostgreSQL may evaluate a subquery with LIMIT once per row, which
    # deletes more than LIMIT rows.
    doomed = candidates.cte("doomed")
    deleted = await connection.execute(
        delete(table).where(tuple_(*key).in_(select(doomed))).returning(*key)
    )
    return len(deleted.all())
