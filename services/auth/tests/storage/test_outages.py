"""Outages: each is named StorageUnavailable, ends within its bound, and is over when it is over."""

import asyncio
import socket
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import Executable, text

from auth_server.domain.grants import Grant
from auth_server.storage.database import Database, StorageUnavailable

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# What a restart of the server does to the connections of a pool.
KILL_ALL = text(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def count_grants(database: Database) -> int:
    async with database.reading_connection() as connection:
        counted = await connection.execute(text("SELECT count(*) FROM grants"))
        return int(counted.scalar_one())


async def use_both(database: Database) -> None:
    """Expect an outage from a read and from a transaction."""
    with pytest.raises(StorageUnavailable):
        await count_grants(database)
    with pytest.raises(StorageUnavailable):
        async with database.transaction():
            pass


async def test_a_port_where_nobody_listens_is_an_outage(
    opened: Callable[..., Database], unused_tcp_port: int
) -> None:
    await use_both(opened(f"postgresql+asyncpg://tests@127.0.0.1:{unused_tcp_port}/auth"))


async def test_a_host_without_address_is_an_outage(opened: Callable[..., Database]) -> None:
    await use_both(opened("postgresql+asyncpg://tests@database.invalid/auth"))


async def test_a_database_that_does_not_exist_is_an_outage(
    opened: Callable[..., Database], postgresql_url: str
) -> None:
    await use_both(opened(f"{postgresql_url}_missing"))


async def test_a_server_that_says_nothing_is_an_outage(
    opened: Callable[..., Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth_server.storage.engines.CONNECT_TIMEOUT_SECONDS", 0.1)

    # Nobody accepts: the connection stays in the backlog.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        await use_both(opened(f"postgresql+asyncpg://tests@127.0.0.1:{port}/auth"))


async def test_an_exhausted_pool_is_an_outage(
    opened: Callable[..., Database], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth_server.storage.engines.POOL_TIMEOUT_SECONDS", 0.05)
    database = opened(database_url, pool_size=1)
    async with database.transaction():
        with pytest.raises(StorageUnavailable):
            async with database.transaction():
                pass
    async with database.reading():
        with pytest.raises(StorageUnavailable):
            await count_grants(database)
    assert await count_grants(database) == 0


@on_postgresql
async def test_a_command_without_an_answer_is_an_outage_and_its_connection_is_replaced(
    opened: Callable[..., Database], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth_server.storage.database.COMMAND_TIMEOUT_SECONDS", 0.2)
    database = opened(database_url, pool_size=1)
    before = await server_process(database)
    with pytest.raises(StorageUnavailable):
        async with database.reading_connection() as connection:
            await connection.execute(text("SELECT pg_sleep(30)"))
    assert await server_process(database) != before


@on_postgresql
async def test_a_caller_that_gives_up_on_a_statement_is_cancelled_and_sees_no_outage(
    database: Database,
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), database.reading_connection() as connection:
            await connection.execute(text("SELECT pg_sleep(30)"))
    assert await count_grants(database) == 0


async def server_process(database: Database) -> int:
    async with database.reading_connection() as connection:
        found = await connection.execute(text("SELECT pg_backend_pid()"))
        return int(found.scalar_one())


@on_postgresql
async def test_connections_that_a_restart_closed_are_replaced_without_an_error(
    database: Database, tamper: Callable[[Executable], Awaitable[None]], grant: Grant
) -> None:
    async with database.reading(), database.reading():
        pass
    await tamper(KILL_ALL)
    for _ in range(4):
        async with database.transaction() as tx:
            assert await tx.grants.find(grant.id) == grant
        async with database.reading() as tx:
            assert await tx.grants.find(grant.id) == grant


@on_postgresql
async def test_a_connection_lost_within_a_transaction_is_an_outage(
    database: Database,
    tamper: Callable[[Executable], Awaitable[None]],
    new_grant: Callable[..., Grant],
) -> None:
    with pytest.raises(StorageUnavailable):
        await insert_after_losing_the_connection(database, tamper, new_grant)
    assert await count_grants(database) == 0


async def insert_after_losing_the_connection(
    database: Database,
    tamper: Callable[[Executable], Awaitable[None]],
    new_grant: Callable[..., Grant],
) -> None:
    async with database.transaction() as tx:
        await tx.grants.insert(new_grant())
        await tamper(KILL_ALL)
        await tx.grants.insert(new_grant())


@on_postgresql
async def test_a_connection_lost_before_commit_is_an_outage(
    database: Database,
    tamper: Callable[[Executable], Awaitable[None]],
    new_grant: Callable[..., Grant],
) -> None:
    with pytest.raises(StorageUnavailable):
        await commit_after_losing_the_connection(database, tamper, new_grant())
    assert await count_grants(database) == 0


async def commit_after_losing_the_connection(
    database: Database, tamper: Callable[[Executable], Awaitable[None]], grant: Grant
) -> None:
    async with database.transaction() as tx:
        await tx.grants.insert(grant)
        await tamper(KILL_ALL)


@on_postgresql
async def test_the_locks_of_a_transaction_whose_process_fell_silent_are_released(
    opened: Callable[..., Database],
    database_url: str,
    grant: Grant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A lost node closes no connection: PostgreSQL would wait for it for hours, and others with it.
    monkeypatch.setattr("auth_server.storage.database.COMMAND_TIMEOUT_SECONDS", 0.2)
    silent = opened(database_url)
    monkeypatch.undo()
    others = opened(database_url)
    with pytest.raises(StorageUnavailable):
        await commit_after_falling_silent(silent, others, grant)
    async with others.reading() as read:
        found = await read.grants.find(grant.id)
    assert found is not None
    assert found.last_used_at == grant.expires_at


async def commit_after_falling_silent(silent: Database, others: Database, grant: Grant) -> None:
    async with silent.transaction() as tx:
        await tx.grants.touch(grant.id, now=grant.created_at)
        async with others.transaction() as tx_of_others:
            await tx_of_others.grants.touch(grant.id, now=grant.expires_at)


@on_sqlite
async def test_a_database_that_another_process_locked_is_an_outage(
    opened: Callable[..., Database],
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("auth_server.storage.engines.BUSY_TIMEOUT_SECONDS", 0.05)
    database = opened(database_url)
    other = sqlite3.connect(tmp_path / "auth.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable):
        async with database.transaction():
            pass
    # Readers do not wait for a writer.
    assert await count_grants(database) == 0
    other.execute("ROLLBACK")
    other.close()
    async with database.transaction():
        pass
