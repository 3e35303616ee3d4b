"""Sessions of the account page, found by the digest of the cookie's secret."""

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.account import AccountSession
from auth_server.domain.grants import Subject
from auth_server.domain.handles import Digest
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.tables import account_sessions


class AccountSessions:
    """The table `account_sessions`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, session: AccountSession) -> None:
        """Store a session that has begun."""
        await self._connection.execute(
            insert(account_sessions).values(
                session_digest=session.digest,
                subject=session.subject.subject,
                username=session.subject.username,
                expires_at=session.expires_at,
            )
        )

    async def find(self, session_digest: Digest, *, now: datetime) -> AccountSession | None:
        """The session; None when it is unknown, has ended or expired."""
        found = await self._connection.execute(
            select(account_sessions).where(
                account_sessions.c.session_digest == session_digest,
                account_sessions.c.expires_at > now,
            )
        )
        row = found.mappings().one_or_none()
        if row is None:
            return None
        return AccountSession(
            digest=row["session_digest"],
            subject=Subject(row["subject"], row["username"]),
            expires_at=row["expires_at"],
        )

    async def delete(self, session_digest: Digest) -> None:
        """End the session; nothing happens if it has ended already."""
        await self._connection.execute(
            delete(account_sessions).where(account_sessions.c.session_digest == session_digest)
        )

    async def delete_of(self, subject: str, *, keep: Digest | None = None) -> None:
        """End a person's sessions, except one."""
        conditions = [account_sessions.c.subject == subject]
        if keep is not None:
            conditions.append(account_sessions.c.session_digest != keep)
        await self._connection.execute(delete(account_sessions).where(*conditions))

    async def delete_expired(self, *, now: datetime, limit: int) -> int:
        """Delete what has expired."""
        return await delete_at_most(
            self._connection, account_sessions, account_sessions.c.expires_at <= now, limit=limit
        )
