"""Alembic's entry point.

`auth_server.storage.schema` passes the connection it holds; a developer who writes a migration
names a database on the command line (see alembic.ini).
"""

import asyncio
from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.types import TypeDecorator

from auth_server.storage.tables import metadata


def plain_type(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    # A migration is history: it names the database's types, not classes that may change.
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


def run_migrations(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_item=plain_type,
        # SQLite cannot alter most of a table: batches copy it instead.
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_run(url: str) -> None:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run_migrations)
    finally:
        await engine.dispose()


def run() -> None:
    given = context.config.attributes.get("connection")
    if given is not None:
        run_migrations(given)
        return
    url = context.get_x_argument(as_dictionary=True).get("url")
    if not isinstance(url, str):
        raise SystemExit("name a database: alembic -x url=sqlite+aiosqlite:///scratch.db ...")
    asyncio.run(connect_and_run(url))


run()
