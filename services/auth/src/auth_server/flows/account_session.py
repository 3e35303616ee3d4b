"""The session of the account page: found by its cookie, ended by signing out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from auth_server.domain.account import AccountSession
from auth_server.domain.handles import Digest
from auth_server.storage.database import Database


@dataclass(frozen=True, slots=True)
class AccountSessionOf:
    """Looks up and ends sessions."""

    database: Database
    now: Callable[[], datetime]

    async def __call__(self, session_digest: Digest) -> AccountSession | None:
        """The session; None if there is none (any more)."""
        async with self.database.reading() as read:
            return await read.account_sessions.find(session_digest, now=self.now())

    async def end(self, session: AccountSession) -> None:
        """Sign out."""
        async with self.database.transaction() as tx:
            await tx.account_sessions.delete(session.digest)
