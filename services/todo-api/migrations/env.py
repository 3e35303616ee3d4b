"""Runs the migrations over the service's own engine: both begin and wait in the same way."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, text

from todo_api.todo_store.database import close_engine, create_engine
from todo_api.todo_store.tables import metadata

# Any number will do, as long as only migrations of this service use it.
_MIGRATION_LOCK = 0x70D0_A91


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        # Another service may live in the same database and keep its own history there.
        version_table="todo_api_schema_version",
        transactional_ddl=True,
        render_as_batch=True,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # One replica migrates, the others find the work done. SQLite has its write lock.
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK}
            )
        context.run_migrations()


async def _connect_and_run() -> None:
    given = context.config.attributes.get("database_url")
    engine = create_engine(given or os.environ["TODO_DATABASE_URL"])
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run)
    finally:
        await close_engine(engine)


if context.is_offline_mode():
    raise SystemExit("these migrations need a database to run against")
asyncio.run(_connect_and_run())
