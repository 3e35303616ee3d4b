"""Sign-ins to the account page that wait at PingOne: each is spent by one statement."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, insert
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.account import PendingAccountLogin
from auth_server.domain.authorizations import UpstreamLogin
from auth_server.domain.handles import Digest
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.encryption import Encryption
from auth_server.storage.tables import account_logins

CODE_VERIFIER_PURPOSE: Final = "account_logins.code_verifier"
NONCE_PURPOSE: Final = "account_logins.nonce"


class AccountLogins:
    """The table `account_logins`."""

    def __init__(self, connection: AsyncConnection, encryption: Encryption) -> None:
        self._connection = connection
        self._encryption = encryption

    async def insert(self, pending: PendingAccountLogin) -> None:
        """Store a sign-in that has begun."""
        await self._connection.execute(
            insert(account_logins).values(
                id=pending.id,
                state_digest=pending.login.state_digest,
                browser_digest=pending.browser_digest,
                code_verifier_encrypted=self._encryption.encrypt(
                    pending.login.code_verifier.encode("utf-8"),
                    row_id=pending.id,
                    purpose=CODE_VERIFIER_PURPOSE,
                ),
                nonce_encrypted=self._encryption.encrypt(
                    pending.login.nonce.encode("utf-8"), row_id=pending.id, purpose=NONCE_PURPOSE
                ),
                expires_at=pending.expires_at,
            )
        )

    async def take(
        self, state_digest: Digest, started: Sequence[Digest], *, now: datetime
    ) -> PendingAccountLogin | None:
        """PingOne answered: spend the state. Another browser and an expired row both get None."""
        taken = await self._connection.execute(
            delete(account_logins)
            .where(
                account_logins.c.state_digest == state_digest,
                account_logins.c.browser_digest.in_(started),
                account_logins.c.expires_at > now,
            )
            .returning(account_logins)
        )
        row = taken.mappings().one_or_none()
        return None if row is None else self._pending_of(row)

    async def delete_expired(self, *, now: datetime, limit: int) -> int:
        """Delete what nobody finished in time."""
        return await delete_at_most(
            self._connection, account_logins, account_logins.c.expires_at <= now, limit=limit
        )

    def _pending_of(self, row: RowMapping) -> PendingAccountLogin:
        return PendingAccountLogin(
            id=row["id"],
            browser_digest=row["browser_digest"],
            login=UpstreamLogin(
                state_digest=row["state_digest"],
                code_verifier=self._decrypt(row, "code_verifier_encrypted", CODE_VERIFIER_PURPOSE),
                nonce=self._decrypt(row, "nonce_encrypted", NONCE_PURPOSE),
            ),
            expires_at=row["expires_at"],
        )

    def _decrypt(self, row: RowMapping, column: str, purpose: str) -> str:
        return self._encryption.decrypt(row[column], row_id=row["id"], purpose=purpose).decode()
