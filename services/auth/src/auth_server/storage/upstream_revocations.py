"""The outbox of revocations at PingOne: written in the transaction that ends what they revoke."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.storage.encryption import Encryption
from auth_server.storage.tables import upstream_revocations
from auth_server.storage.upstream_tokens import decode_tokens, encode_tokens, readable_tokens

PURPOSE: Final = "upstream_revocations.tokens"


@dataclass(frozen=True, slots=True)
class ClaimedRevocation:
    """A row that is this caller's for now. `tokens` is None if no key of the ring opens them.

    `attempts` counts this one.
    """

    id: str
    tokens: UpstreamTokens | None
    created_at: datetime
    attempts: int


class UpstreamRevocations:
    """The table `upstream_revocations`."""

    def __init__(self, connection: AsyncConnection, encryption: Encryption) -> None:
        self._connection = connection
        self._encryption = encryption

    async def insert(self, tokens: UpstreamTokens, *, now: datetime) -> None:
        """Store tokens that are to be revoked, due at once."""
        row_id = str(uuid4())
        await self._connection.execute(
            insert(upstream_revocations).values(
                id=row_id,
                tokens_encrypted=self._encryption.encrypt(
                    encode_tokens(tokens), row_id=row_id, purpose=PURPOSE
                ),
                created_at=now,
                attempts=0,
                next_attempt_at=now,
            )
        )

    async def claim(self, *, now: datetime, until: datetime) -> ClaimedRevocation | None:
        """The row that has been due for longest; nobody else gets it before `until`.

        A claimant that dies costs no more than that wait.
        """
        table = upstream_revocations
        due = (
            select(table.c.id)
            .where(table.c.next_attempt_at <= now)
            .order_by(table.c.next_attempt_at, table.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        claimed = await self._connection.execute(
            update(table)
            .where(table.c.id.in_(select(due)))
            .values(attempts=table.c.attempts + 1, next_attempt_at=until)
            .returning(table)
        )
        row = claimed.mappings().one_or_none()
        if row is None:
            return None
        return ClaimedRevocation(
            id=row["id"],
            tokens=readable_tokens(
                lambda: decode_tokens(
                    self._encryption.decrypt(
                        row["tokens_encrypted"], row_id=row["id"], purpose=PURPOSE
                    )
                ),
                row["id"],
            ),
            created_at=row["created_at"],
            attempts=row["attempts"],
        )

    async def postpone(self, claimed: ClaimedRevocation, *, until: datetime) -> None:
        """Let it be tried again from `until` on; a claim that another has meanwhile is left."""
        await self._connection.execute(
            update(upstream_revocations)
            .where(
                upstream_revocations.c.id == claimed.id,
                upstream_revocations.c.attempts == claimed.attempts,
            )
            .values(next_attempt_at=until)
        )

    async def delete(self, revocation_id: str) -> None:
        """Forget it: it is done, or given up."""
        await self._connection.execute(
            delete(upstream_revocations).where(upstream_revocations.c.id == revocation_id)
        )

    async def count(self) -> int:
        """How many wait."""
        found = await self._connection.execute(
            select(func.count()).select_from(upstream_revocations)
        )
        return found.scalar_one()
