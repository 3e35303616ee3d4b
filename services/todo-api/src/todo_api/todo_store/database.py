"""One engine for PostgreSQL and SQLite, with their differences settled here."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, event, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from service_kit import sqlite_connections

POOL_SIZE = 10
CONNECT_TIMEOUT_SECONDS = 3.0
STATEMENT_TIMEOUT_SECONDS = 5.0

# Errors that are our own mistakes. Every other one says something about the database's health.
_OUR_MISTAKES = (DataError, IntegrityError, NotSupportedError, ProgrammingError)


class StoreUnavailable(Exception):
    """The database cannot be used for now: down, unreachable, overloaded or locked for too long."""


class Database:
    """Hands out connections: for a single statement, or for a transaction that may write."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._autocommit_engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    @classmethod
    def open(cls, url: str) -> Self:
        """Prepare access to the database; the first connection is made when it is needed."""
        return cls(create_engine(url))

    async def close(self) -> None:
        """Close every connection."""
        await close_engine(self._engine)

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncConnection]:
        """Connect for one statement, which is its own transaction: no BEGIN, no COMMIT to wait for.

        Raises StoreUnavailable.
        """
        with _outages_named():
            async with self._autocommit_engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Connect for several statements that happen together or not at all.

        On SQLite it takes the write lock at once. Raises StoreUnavailable.
        """
        with _outages_named():
            async with self._engine.begin() as connection:
                yield connection

    async def has_table(self, name: str) -> bool:
        """Say whether a table exists; raise StoreUnavailable."""
        async with self.autocommit() as connection:
            return await connection.run_sync(lambda sync: inspect(sync).has_table(name))


def create_engine(database_url: str) -> AsyncEngine:
    """Create the engine for a PostgreSQL or SQLite URL, every wait bounded."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return _create_sqlite_engine(url)
    return _create_engine(
        url,
        {
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "command_timeout": STATEMENT_TIMEOUT_SECONDS,
            "server_settings": {"application_name": "todo-api"},
        },
    )


async def close_engine(engine: AsyncEngine) -> None:
    """Close every connection; nothing of them is at work afterwards."""
    await engine.dispose()
    await sqlite_connections.all_ended()


def _create_engine(url: URL, connect_args: dict[str, Any]) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
        skip_autocommit_rollback=True,
        hide_parameters=True,
        connect_args=connect_args,
    )


def _create_sqlite_engine(url: URL) -> AsyncEngine:
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = _create_engine(
        url,
        {
            "timeout": STATEMENT_TIMEOUT_SECONDS,  # its busy_timeout
            "async_creator_fn": sqlite_connections.connect,
        },
    )
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers and the one writer do not wait
    cursor.execute("PRAGMA synchronous = NORMAL")  # safe with WAL
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # The driver would begin as a reader and fail, without waiting, where two readers want to write.
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _outages_named() -> Iterator[None]:
    try:
        yield
    except _OUR_MISTAKES:
        raise
    except (DBAPIError, PoolTimeout, OSError) as error:  # OSError: refused, reset, timed out
        raise StoreUnavailable(_name(error)) from error


def _name(error: Exception) -> str:
    """Name what went wrong as the driver does; a message might quote a statement or a value."""
    origin = getattr(error, "orig", None) or error
    sqlite_name: str | None = getattr(origin, "sqlite_errorname", None)
    return sqlite_name or type(origin.__cause__ or origin).__name__
