"""Migrations: they make what the code describes, once, and their absence is told."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Executable, text

from auth_server.storage.database import Database, StorageUnavailable
from auth_server.storage.encryption import Encryption
from auth_server.storage.schema import SchemaOutdated, check_schema, upgrade
from auth_server.storage.tables import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/50%/empty.db"
    new_database: Callable[[], str] = request.getfixturevalue("new_postgresql_database")
    return new_database()


def differences(connection: Connection) -> object:
    options = {"compare_type": True, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


async def test_the_migrations_make_the_tables_that_the_code_describes(database: Database) -> None:
    async with database.reading_connection() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_migrated_database_passes_the_check(database: Database) -> None:
    await check_schema(database)


async def test_an_empty_database_is_refused_until_it_is_migrated(
    empty_url: str, encryption: Encryption
) -> None:
    database = Database(empty_url, encryption)
    with pytest.raises(SchemaOutdated, match="run `auth migrate`"):
        await check_schema(database)
    await asyncio.to_thread(upgrade, empty_url)
    await check_schema(database)
    await database.close()


async def test_a_schema_newer_than_the_program_is_accepted(
    database: Database, tamper: Callable[[Executable], Awaitable[None]]
) -> None:
    await tamper(text("UPDATE alembic_version SET version_num = 'from the future'"))
    await check_schema(database)


def test_replicas_may_migrate_at_the_same_time(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as executor:
        for finished in [executor.submit(upgrade, empty_url) for _ in range(4)]:
            finished.result()


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    upgrade(database_url)


def test_an_outage_while_migrating_is_named(unused_tcp_port: int) -> None:
    with pytest.raises(StorageUnavailable):
        upgrade(f"postgresql+asyncpg://tests@127.0.0.1:{unused_tcp_port}/auth")
