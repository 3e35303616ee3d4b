"""The tables of todo-api. What they look like in a database is decided by `migrations/`."""

from datetime import UTC, datetime

from sqlalchemy import BigInteger, Boolean, Column, DateTime, MetaData, String, Table, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from todo_api.todos import MAX_TEXT_LENGTH

metadata = MetaData()


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: aware and UTC in Python on both databases. SQLite stores it without zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC on the way in; a naive datetime is a mistake."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without time zone")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back an aware datetime in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


# The owner leads the key: every statement names one, so this one index serves them all.
todos = Table(
    "todos",
    metadata,
    Column("owner", String(255), primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("text", String(MAX_TEXT_LENGTH), nullable=False),
    Column("completed", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
