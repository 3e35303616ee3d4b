"""Locks that one transaction holds and others wait for, on something that has no row of its own."""

from hashlib import sha256

from sqlalchemy import BigInteger, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection


async def lock(connection: AsyncConnection, *names: str) -> None:
    """Wait until no other transaction holds this lock, and hold it until this one ends.

    SQLite has one writer at a time anyway. Should two lists of names meet in one lock, one waits
    without need.
    """
    if connection.dialect.name == "postgresql":
        key = bindparam(None, _key(names), type_=BigInteger)
        await connection.execute(select(func.pg_advisory_xact_lock(key)))


def _key(names: tuple[str, ...]) -> int:
    # The length keeps lists apart that concatenate alike.
    text = "".join(f"{len(name)} {name}" for name in names)
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big", signed=True)
