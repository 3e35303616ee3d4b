"""Sign-ins to the account page that wait at PingOne: each is spent by one statement."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.account import PendingAccountLogin, SpentAccountLogin
from auth_server.domain.authorizations import UpstreamLogin
from auth_server.domain.handles import Digest
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.encryption import Encryption
from auth_server.storage.tables import account_logins, spent_account_logins

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
        self,
        state_digest: Digest,
        started: Sequence[Digest],
        *,
        now: datetime,
        known_until: datetime,
    ) -> PendingAccountLogin | None:
        """PingOne answered: spend the state. Another browser and an expired row both get None.

        That it was spent is remembered for a browser that repeats the request.
        """
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
        if row is None:
            return None
        await self._connection.execute(
            insert(spent_account_logins).values(
                state_digest=state_digest,
                browser_digest=row["browser_digest"],
                spent_at=now,
                expires_at=known_until,
            )
        )
        return self._pending_of(row)

    async def keep_answer(
        self, state_digest: Digest, sealed_answer: bytes, *, until: datetime
    ) -> None:
        """Note what came of a sign-in that was taken."""
        await self._connection.execute(
            update(spent_account_logins)
            .where(spent_account_logins.c.state_digest == state_digest)
            .values(answer_encrypted=sealed_answer, expires_at=until)
        )

    async def find_spent(
        self, state_digest: Digest, started: Sequence[Digest], *, now: datetime
    ) -> SpentAccountLogin | None:
        """The sign-in of a state that was spent, for the browser that began it."""
        found = await self._connection.execute(
            select(spent_account_logins).where(
                spent_account_logins.c.state_digest == state_digest,
                spent_account_logins.c.browser_digest.in_(started),
                spent_account_logins.c.expires_at > now,
            )
        )
        row = found.mappings().one_or_none()
        if row is None:
            return None
        return SpentAccountLogin(row["browser_digest"], row["spent_at"], row["answer_encrypted"])

    async def delete_expired(self, *, now: datetime, limit: int) -> int:
        """Delete what nobody finished in time."""
        return await delete_at_most(
            self._connection, account_logins, account_logins.c.expires_at <= now, limit=limit
        )

    async def delete_expired_answers(self, *, now: datetime, limit: int) -> int:
        """Forget the sign-ins whose repetition is answered no more."""
        expired = spent_account_logins.c.expires_at <= now
        return await delete_at_most(self._connection, spent_account_logins, expired, limit=limit)

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
