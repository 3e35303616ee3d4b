"""Transactions, reads and instants; which URLs and which files."""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Executable, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from auth_server.domain.authorizations import PendingAuthorization
from auth_server.domain.grants import Grant
from auth_server.storage.database import Database, StorageUnavailable
from auth_server.storage.encryption import Encryption

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
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
    pending = new_pending()
    async with database.transaction() as tx:
        await tx.authorizations.start(pending)
    with pytest.raises(IntegrityError) as caught:
        async with database.transaction() as tx:
            await tx.authorizations.start(pending)
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


@on_postgresql
async def test_transactions_are_read_committed_whatever_the_server_says_and_a_pooler_allows_it(
    opened: Callable[..., Database],
    database_url: str,
    tamper: Callable[[Executable], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []
    connect = asyncpg.connect

    async def noted(*arguments: Any, **options: Any) -> Any:
        asked.append(options)
        return await connect(*arguments, **options)

    name = make_url(database_url).database
    await tamper(text(f"ALTER DATABASE {name} SET default_transaction_isolation = serializable"))
    monkeypatch.setattr("asyncpg.connect", noted)
    database = opened(database_url, pool_size=1)
    for _ in range(2):
        # A read on the same connection leaves nothing behind.
        assert await count_grants(database) == 0
        async with database.transaction() as tx:
            found = await tx.grants._connection.execute(text("SHOW transaction_isolation"))
            assert found.scalar_one() == "read committed"
    # Session poolers refuse parameters of the start that they do not know, unlike this one.
    assert [set(options["server_settings"]) for options in asked] == [{"application_name"}]


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
