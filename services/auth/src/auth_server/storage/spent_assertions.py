"""Client assertions that were accepted: each is, once (RFC 7523 3)."""

from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.handles import Digest
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.tables import spent_assertions


class SpentAssertions:
    """The table `spent_assertions`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def spend(self, assertion_digest: Digest, *, expires_at: datetime) -> bool:
        """Spend the assertion: one caller gets True, once, over all replicas."""
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        spent = await self._connection.execute(
            dialect.insert(spent_assertions)
            .values(assertion_digest=assertion_digest, expires_at=expires_at)
            .on_conflict_do_nothing()
            .returning(spent_assertions.c.assertion_digest)
        )
        return spent.one_or_none() is not None

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        """Delete what had expired by then: nobody would accept it any more."""
        return await delete_at_most(
            self._connection, spent_assertions, spent_assertions.c.expires_at <= before, limit=limit
        )
