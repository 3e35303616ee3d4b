"""The schema's version: brings a database to the newest one, and checks that it is there."""

import asyncio
from pathlib import Path
from typing import Final

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

import auth_server
from auth_server.storage.database import Database
from auth_server.storage.engines import (
    SQLITE,
    close_engines,
    connected,
    parse_database_url,
    postgresql_engine,
    sqlite_engine,
)

_log = structlog.get_logger(__name__)

MIGRATION_TIMEOUT_SECONDS: Final = 300.0
# Any number that no other user of the same database takes for its advisory lock.
_ADVISORY_LOCK: Final = 0x6D63705F61757468


class SchemaOutdated(Exception):
    """The database lacks migrations that this version of the program needs; `found` says which."""

    def __init__(self, found: str) -> None:
        super().__init__(f"{found}: run `auth migrate`, then start again")
        self.found = found


def upgrade(url: str, revision: str = "head") -> None:
    """Run outstanding migrations in one transaction; raise StorageUnavailable on an outage.

    Replicas may do so at once: one works, the others wait and find nothing left to do. Blocks, and
    runs an event loop of its own: from a coroutine, call it by asyncio.to_thread.
    """
    asyncio.run(_upgrade(url, revision))


async def check_schema(database: Database) -> None:
    """Raise SchemaOutdated unless every migration of this version has run.

    A newer schema is accepted: during a rolling update it comes before the new program.
    """
    async with database.reading_connection() as connection:
        current = await connection.run_sync(_current_revision)
    scripts = ScriptDirectory.from_config(_alembic_config())
    head = scripts.get_current_head()
    if current == head:
        return
    known = {script.revision for script in scripts.walk_revisions()}
    if current is not None and current not in known:
        _log.warning("schema.newer_than_program", schema=current, program=head)
        return
    raise SchemaOutdated(
        f"the database schema is {current or 'not there'}, this version needs {head}"
    )


async def _upgrade(url: str, revision: str) -> None:
    engine = _migration_engine(url)
    try:
        async with connected(engine) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                await connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            await connection.run_sync(_run_migrations, revision)
    finally:
        await close_engines(engine)


def _migration_engine(url: str) -> AsyncEngine:
    parsed = parse_database_url(url)
    if parsed.drivername == SQLITE:
        # A migration that copies a table drops the old one, which must not cascade.
        return sqlite_engine(parsed, pool_size=1, foreign_keys=False)
    return postgresql_engine(parsed, pool_size=1, command_timeout_seconds=MIGRATION_TIMEOUT_SECONDS)


def _run_migrations(connection: Connection, revision: str) -> None:
    config = _alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _alembic_config() -> Config:
    config = Config()
    # Alembic interpolates %, which a path may contain.
    config.set_main_option("script_location", str(_migrations_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _migrations_folder() -> Path:
    package = Path(auth_server.__file__).parent
    in_wheel = package / "migrations"
    # In a source tree the package is services/auth/src/auth_server.
    return in_wheel if in_wheel.is_dir() else package.parents[1] / "migrations"
