"""What differs between the two databases: how to connect, begin, bound a wait and see an outage.

PostgreSQL (asyncpg) in production, an SQLite file (aiosqlite, WAL) as the embedded default.
"""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from service_kit import sqlite_connections

SQLITE: Final = "sqlite+aiosqlite"
POSTGRESQL: Final = "postgresql+asyncpg"

CONNECT_TIMEOUT_SECONDS: Final = 5.0
POOL_TIMEOUT_SECONDS: Final = 5.0
# How long an SQLite connection waits for another process that writes.
BUSY_TIMEOUT_SECONDS: Final = 5.0
# Younger than the idle time-outs of load balancers and NAT gateways, which drop without a word.
MAX_CONNECTION_AGE_SECONDS: Final = 300

# SQLSTATEs that say "not now" rather than "wrong". Classes: connection, resources, operator
# intervention, system error. Single ones: a read-only standby, a transaction that fell silent, a
# serialization failure, a deadlock, a lock that cannot be had.
_OUTAGE_CLASSES: Final = ("08", "53", "57", "58")
_OUTAGE_STATES: Final = frozenset({"25006", "25P03", "40001", "40P01", "55P03"})

_SQLITE_OUTAGES: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
    }
)


class StorageUnavailable(Exception):
    """The database cannot be used now. It is an outage: it says nothing about any credential."""


def parse_database_url(url: str) -> URL:
    """Parse a database URL; raise ValueError, without the URL's password, for an unusable one."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("the database URL is not a URL") from None
    if parsed.drivername not in {SQLITE, POSTGRESQL}:
        raise ValueError(f"the database URL must begin with {POSTGRESQL}:// or {SQLITE}:///")
    if parsed.drivername == SQLITE and parsed.database in {None, "", ":memory:"}:
        raise ValueError("SQLite needs a file; a database in memory is lost with its connection")
    return parsed


@asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection of the pool; raise StorageUnavailable if there is none to be had in time."""
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(engine.connect())
        except (OSError, PoolTimeout) as error:
            raise StorageUnavailable(
                f"no connection to the database: {type(error).__name__}: {error}"
            ) from error
        yield connection


def sqlite_engine(
    url: URL, *, pool_size: int, query_only: bool = False, foreign_keys: bool = True
) -> AsyncEngine:
    """An engine whose transactions are BEGIN IMMEDIATE, or (query_only) that can only read.

    Makes the file and its folder, readable for this user only, if they are missing.
    """
    _prepare_file(Path(url.database or ""))
    engine = create_async_engine(
        url,
        # isolation_level None: the driver must not begin transactions of its own.
        connect_args={
            "isolation_level": None,
            "timeout": BUSY_TIMEOUT_SECONDS,
            "async_creator_fn": sqlite_connections.connect,
        },
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        skip_autocommit_rollback=query_only,
    )

    def configure(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        cursor.execute("PRAGMA journal_mode=WAL")
        # A code must stay spent after a power failure, which WAL with NORMAL does not promise.
        cursor.execute("PRAGMA synchronous=FULL")
        if query_only:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    event.listen(engine.sync_engine, "connect", configure)
    if not query_only:
        event.listen(engine.sync_engine, "begin", _begin_immediate)
    event.listen(engine.sync_engine, "handle_error", _name_outages)
    return engine


def postgresql_engine(url: URL, *, pool_size: int, command_timeout_seconds: float) -> AsyncEngine:
    """An engine that survives a restart of the server and never waits without a bound."""
    engine = create_async_engine(
        url,
        connect_args={
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "command_timeout": command_timeout_seconds,
            # No other parameter of the start: poolers refuse those that they do not know.
            "server_settings": {"application_name": "mcp-pingone-auth"},
        },
        # The loser of a race waits, and then must see what the winner has committed.
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_recycle=MAX_CONNECTION_AGE_SECONDS,
        skip_autocommit_rollback=True,
    )

    def bound_silence(connection: Any, _record: object) -> None:
        # A lost node closes no connection: without this its transaction keeps its locks for hours.
        connection.autocommit = True
        cursor = connection.cursor()
        milliseconds = int(command_timeout_seconds * 1000)
        cursor.execute(f"SET idle_in_transaction_session_timeout = {milliseconds}")
        cursor.close()
        connection.autocommit = False

    event.listen(engine.sync_engine, "connect", bound_silence)
    event.listen(engine.sync_engine, "checkout", _replace_if_closed)
    event.listen(engine.sync_engine, "handle_error", _name_outages)
    return engine


async def close_engines(*engines: AsyncEngine) -> None:
    """Close every connection; nothing of them is at work afterwards."""
    for engine in engines:
        await engine.dispose()
    await sqlite_connections.all_ended()


def _prepare_file(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite gives its WAL files the permissions of the database file.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _begin_immediate(connection: Connection) -> None:
    # The write lock first: a transaction that reads and then writes may not get it any more.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _replace_if_closed(connection: Any, _record: object, _proxy: object) -> None:
    # What a pre-ping is for, without its round trip: asyncpg has noticed when a server that was
    # restarted closed the connection. The pool catches this and connects again.
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _name_outages(context: ExceptionContext) -> StorageUnavailable | None:
    error = context.original_exception
    if not isinstance(error, Exception):
        return None  # a cancellation costs its connection, but stays a cancellation
    # Without a connection, connecting is what failed, for whatever reason.
    if not (context.is_disconnect or context.connection is None or _is_outage(error)):
        return None
    return StorageUnavailable(f"the database failed: {type(error).__name__}: {error}")


def _is_outage(error: Exception) -> bool:
    if isinstance(error, OSError):
        return True
    if isinstance(error, sqlite3.Error):
        # The low byte of an extended result code is its primary code.
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _SQLITE_OUTAGES
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith(_OUTAGE_CLASSES) or state in _OUTAGE_STATES
