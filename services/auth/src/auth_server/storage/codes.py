"""Authorization codes: redeemed once, remembered for a while to see a replay."""

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.grants import AuthorizationCode
from auth_server.domain.handles import Digest
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.tables import codes, grants


class Codes:
    """The table `codes`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, code_digest: Digest, code: AuthorizationCode) -> None:
        """Store a fresh code."""
        await self._connection.execute(
            insert(codes).values(
                code_digest=code_digest,
                grant_id=code.grant_id,
                client_id=code.client_id,
                redirect_uri=code.redirect_uri,
                code_challenge=code.code_challenge,
                scopes=code.scopes,
                expires_at=code.expires_at,
            )
        )

    async def redeem(
        self, code_digest: Digest, client_id: str, *, now: datetime
    ) -> AuthorizationCode | None:
        """Spend the code: one caller gets it, once, before it expires, if it is this client's."""
        redeemed = await self._connection.execute(
            update(codes)
            .where(
                codes.c.code_digest == code_digest,
                codes.c.client_id == client_id,
                codes.c.redeemed_at.is_(None),
                codes.c.expires_at > now,
            )
            .values(redeemed_at=now)
            .returning(codes)
        )
        row = redeemed.mappings().one_or_none()
        if row is None:
            return None
        return AuthorizationCode(
            grant_id=row["grant_id"],
            client_id=row["client_id"],
            redirect_uri=row["redirect_uri"],
            code_challenge=row["code_challenge"],
            scopes=row["scopes"],
            expires_at=row["expires_at"],
        )

    async def is_open(self, code_digest: Digest, *, now: datetime) -> bool:
        """Whether the code could still be redeemed."""
        found = await self._connection.execute(
            select(codes.c.grant_id)
            .join(grants, grants.c.id == codes.c.grant_id)
            .where(
                codes.c.code_digest == code_digest,
                codes.c.redeemed_at.is_(None),
                codes.c.expires_at > now,
                grants.c.revoked_at.is_(None),
            )
        )
        return found.one_or_none() is not None

    async def grant_of_redeemed(self, code_digest: Digest, client_id: str) -> str | None:
        """The grant of a code that this client redeemed before (RFC 6749 4.1.2: a replay)."""
        found = await self._connection.execute(
            select(codes.c.grant_id).where(
                codes.c.code_digest == code_digest,
                codes.c.client_id == client_id,
                codes.c.redeemed_at.is_not(None),
            )
        )
        grant_id: str | None = found.scalar_one_or_none()
        return grant_id

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        """Delete codes that had expired by then; a replay of them is no longer noticed."""
        return await delete_at_most(
            self._connection, codes, codes.c.expires_at <= before, limit=limit
        )
