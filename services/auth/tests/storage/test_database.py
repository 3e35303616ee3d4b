"""Transactions, reads and instants; which URLs and which files."""

import asyncio
import os
import stat
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from auth_server.domain.authorizations import AuthorizationStep, PendingAuthorization
from auth_server.domain.grants import Grant
from auth_server.storage.database import Database, StorageUnavailable
from auth_server.storage.encryption import Encryption

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def count_grants(database: Database) -> int:
    async with database.reading_connection() as connection:
        counted = await connection.execute(text("SELECT count(*) FROM grants"))
        return int(counted.scalar_one())


async def test_an_exception_undoes_the_whole_transaction(
    database: Database, new_grant: Callable[..., Grant]
) -> None:
    with pytest.raises(RuntimeError, match="the flow's own"):
        await insert_two_and_fail(database, new_grant, RuntimeError("the flow's own"))
    assert await count_grants(database) == 0


async def insert_two_and_fail(
    database: Database, new_grant: Callable[..., Grant], error: Exception
) -> None:
    async with database.transaction() as tx:
        await tx.grants.insert(new_grant())
        await tx.grants.insert(new_grant())
        raise error


async def test_a_time_out_that_is_not_the_databases_keeps_its_name(
    database: Database, new_grant: Callable[..., Grant]
) -> None:
    with pytest.raises(TimeoutError):
        await insert_two_and_fail(database, new_grant, TimeoutError())
    assert await count_grants(database) == 0


async def test_a_cancelled_transaction_is_undone_and_leaves_the_database_usable(
    database: Database, new_grant: Callable[..., Grant]
) -> None:
    inserted = asyncio.Event()

    async def insert_and_wait() -> None:
        async with database.transaction() as tx:
            await tx.grants.insert(new_grant())
            inserted.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(insert_and_wait())
    await inserted.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count_grants(database) == 0
    async with database.transaction() as tx:
        await tx.grants.insert(new_grant())
    assert await count_grants(database) == 1


async def test_a_read_sees_nothing_of_an_unfinished_transaction(
    database: Database, new_grant: Callable[..., Grant]
) -> None:
    async with database.transaction() as tx:
        await tx.grants.insert(new_grant())
        assert await count_grants(database) == 0
    assert await count_grants(database) == 1


async def test_a_broken_rule_of_the_schema_is_a_defect_and_no_outage(
    database: Database, new_pending: Callable[..., PendingAuthorization]
) -> None:
    pending = new_pending(AuthorizationStep.AT_PINGONE)
    async with database.transaction() as tx:
        await tx.authorizations.insert(pending)
    with pytest.raises(IntegrityError) as caught:
        async with database.transaction() as tx:
            await tx.authorizations.insert(pending)
    # Not even its parameters are told.
    assert "the client's own state" not in str(caught.value)


async def test_a_naive_datetime_is_refused(
    database: Database, new_grant: Callable[..., Grant], now: datetime
) -> None:
    with pytest.raises(StatementError, match="naive"):
        async with database.transaction() as tx:
            await tx.grants.insert(new_grant(created_at=now.replace(tzinfo=None)))


async def test_a_missing_table_is_a_defect_and_no_outage(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.reading_connection() as connection:
            await connection.execute(text("SELECT * FROM missing"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://user:hunter2@localhost/auth",
        "postgresql://user:hunter2@localhost/auth",
        "postgresql+asyncpg://user:hunter2@localhost:port/auth",
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
    ],
)
def test_an_unusable_url_is_refused_without_showing_its_password(
    url: str, encryption: Encryption
) -> None:
    with pytest.raises(ValueError, match="database") as caught:
        Database(url, encryption)
    assert "hunter2" not in str(caught.value)


@on_sqlite
async def test_reading_cannot_write(database: Database, new_grant: Callable[..., Grant]) -> None:
    with pytest.raises(StorageUnavailable, match="readonly"):
        async with database.reading() as tx:
            await tx.grants.insert(new_grant())
    assert await count_grants(database) == 0


@on_sqlite
async def test_the_embedded_database_is_durable_and_enforces_its_keys(database: Database) -> None:
    async with database.reading_connection() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            found = await connection.execute(text(f"PRAGMA {pragma}"))
            assert found.scalar_one() == value


async def test_the_embedded_database_is_made_for_this_user_only(
    opened: Callable[..., Database], tmp_path: Path
) -> None:
    file = tmp_path / "state" / "auth.db"
    former = os.umask(0)
    try:
        database = opened(f"sqlite+aiosqlite:///{file}")
        async with database.transaction():
            pass
    finally:
        os.umask(former)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()} == {0o600}


async def test_instants_come_back_in_utc_whatever_zone_they_were_given_in(
    database: Database, new_grant: Callable[..., Grant], now: datetime
) -> None:
    elsewhere = now.astimezone(timezone(timedelta(hours=5, minutes=30)))
    grant = new_grant(created_at=elsewhere)
    async with database.transaction() as tx:
        await tx.grants.insert(grant)
        found = await tx.grants.find(grant.id)
    assert found is not None
    assert found.created_at == now
    assert found.created_at.utcoffset() == timedelta(0)
