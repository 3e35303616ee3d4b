"""Initial access tokens (RFC 7591 3): who holds one may register so many clients, for so long."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.handles import Digest
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.tables import initial_access_tokens


@dataclass(frozen=True, slots=True)
class InitialAccessToken:
    """A token as an operator sees it. `remaining_uses` is None if they are not counted."""

    id: str
    note: str | None
    created_at: datetime
    expires_at: datetime
    remaining_uses: int | None


class InitialAccessTokens:
    """The table `initial_access_tokens`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, token: InitialAccessToken, token_digest: Digest) -> None:
        """Store a fresh token."""
        await self._connection.execute(
            insert(initial_access_tokens).values(
                id=token.id,
                token_digest=token_digest,
                note=token.note,
                created_at=token.created_at,
                expires_at=token.expires_at,
                remaining_uses=token.remaining_uses,
            )
        )

    async def spend_use(self, token_digest: Digest, *, now: datetime) -> str | None:
        """Spend one use and return the token's id; None if it is unknown, expired or used up."""
        remaining = initial_access_tokens.c.remaining_uses
        spent = await self._connection.execute(
            update(initial_access_tokens)
            .where(
                initial_access_tokens.c.token_digest == token_digest,
                initial_access_tokens.c.expires_at > now,
                remaining.is_(None) | (remaining > 0),
            )
            .values(remaining_uses=remaining - 1)
            .returning(initial_access_tokens.c.id)
        )
        token_id: str | None = spent.scalar_one_or_none()
        return token_id

    async def newest(self, *, limit: int) -> tuple[InitialAccessToken, ...]:
        """The last `limit` tokens that were made, the newest first."""
        table = initial_access_tokens
        found = await self._connection.execute(
            select(
                table.c.id,
                table.c.note,
                table.c.created_at,
                table.c.expires_at,
                table.c.remaining_uses,
            )
            .order_by(table.c.created_at.desc(), table.c.id)
            .limit(limit)
        )
        return tuple(InitialAccessToken(**row) for row in found.mappings())

    async def delete(self, token_id: str) -> bool:
        """Delete the token: nobody can register with it any more. False if there is none."""
        deleted = await self._connection.execute(
            delete(initial_access_tokens)
            .where(initial_access_tokens.c.id == token_id)
            .returning(initial_access_tokens.c.id)
        )
        return deleted.one_or_none() is not None

    async def delete_useless(self, *, now: datetime, limit: int) -> int:
        """Delete tokens that have expired or are used up."""
        table = initial_access_tokens
        is_useless = (table.c.expires_at <= now) | (table.c.remaining_uses == 0)
        return await delete_at_most(self._connection, table, is_useless, limit=limit)
