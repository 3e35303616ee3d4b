"""The schema: what the migrations make is what the code expects, on both databases."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from todo_api.app import SchemaMissing, check_schema
from todo_api.todo_store.database import Database, create_engine
from todo_api.todo_store.tables import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables; for SQLite not even the folder exists."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'state' / 'todo.db'}"
    return str(request.getfixturevalue("postgresql_url"))


def start(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603  (our own module, our own arguments)
        [sys.executable, "-m", "todo_api", *arguments],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out + err


async def test_the_migrations_make_the_tables_the_code_describes(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"version_table": "todo_api_schema_version"}
        )
        return list(compare_metadata(context, metadata))

    engine = create_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_a_database_with_tables_is_fit_to_serve(database_url: str) -> None:
    database = Database.open(database_url)
    await check_schema(database)
    await database.close()


async def test_a_database_without_tables_is_not(empty_url: str) -> None:
    database = Database.open(empty_url)
    with pytest.raises(SchemaMissing, match="python -m todo_api migrate"):
        await check_schema(database)
    await database.close()


def test_replicas_may_migrate_at_once_and_again(empty_url: str) -> None:
    replicas = [start("migrate", TODO_DATABASE_URL=empty_url) for _ in range(3)]
    answers = [finish(replica) for replica in replicas]
    assert [status for status, _ in answers] == [0, 0, 0], answers
    assert sum("Running upgrade" in output for _, output in answers) == 1


def test_serving_without_tables_ends_with_what_to_do(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'todo.db'}"
    process = start(
        TODO_PUBLIC_URL="http://localhost:8082",
        API_ISSUER="https://auth.pingone.eu/env/as",
        TODO_DATABASE_URL=url,
    )
    status, output = finish(process)
    assert status == os.EX_CONFIG
    assert output == "The database has no tables yet; run: python -m todo_api migrate\n"
