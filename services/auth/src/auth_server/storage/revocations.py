"""Announces the end of a grant from within its transaction, and finds what has ended lately."""

import json
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.revocations import Revocation
from auth_server.storage.tables import grants

# A channel belongs to one database, and so to one deployment.
CHANNEL: Final = "mcp_pingone_revocations"
# PostgreSQL takes less than 8000 bytes; a grant's id and a resource identifier are far below.
MAX_MESSAGE_LENGTH: Final = 4096


class Revocations:
    """Revocations as events. What has ended is in the table `grants`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def announce(self, revocation: Revocation) -> None:
        """Have every replica told when, and only if, this transaction commits.

        Nothing to do on SQLite, which cannot notify: revocation_feed.sqlite looks instead.
        """
        if self._connection.dialect.name == "postgresql":
            await self._connection.execute(select(func.pg_notify(CHANNEL, encode(revocation))))

    async def since(self, instant: datetime) -> tuple[Revocation, ...]:
        """What was revoked at this instant or later, in no particular order."""
        found = await self._connection.execute(
            select(grants.c.id, grants.c.resource).where(grants.c.revoked_at >= instant)
        )
        return tuple(Revocation(grant_id, resource) for grant_id, resource in found)


def encode(revocation: Revocation) -> str:
    """The message that carries a revocation from one replica to the others."""
    return json.dumps({"grant_id": revocation.grant_id, "resource": revocation.resource})


def decode(message: str | bytes) -> Revocation:
    """Read a message of encode(), which may have further members; raise ValueError."""
    if len(message) > MAX_MESSAGE_LENGTH:
        raise ValueError("the message is too long")
    try:
        unverified = json.loads(message)
    except RecursionError:
        raise ValueError("the message is nested too deeply") from None
    if not isinstance(unverified, dict):
        raise ValueError("the message is not an object")
    grant_id, resource = unverified.get("grant_id"), unverified.get("resource")
    if not isinstance(grant_id, str) or not isinstance(resource, str):
        raise ValueError("the message names no grant or no resource")
    return Revocation(grant_id, resource)
