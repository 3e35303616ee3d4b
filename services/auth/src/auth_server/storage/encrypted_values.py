"""All values that keys of the ring encrypt, wherever they are: counted, and put under a new key.

Answers (`answer_encrypted`) are not among them: only what they answered opens them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, LargeBinary, Table, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.storage import account_logins as of_account_logins
from auth_server.storage import authorization_rows as of_authorizations
from auth_server.storage import upstream_revocations as of_revocations
from auth_server.storage import upstream_tokens as of_tokens
from auth_server.storage.encryption import HEADER_BYTES
from auth_server.storage.tables import (
    account_logins,
    authorizations,
    upstream_revocations,
    upstream_tokens,
)


@dataclass(frozen=True, slots=True)
class EncryptedColumn:
    """A column of encrypted values, and what its associated data are: row id and purpose."""

    column: Column[Any]
    row_id: Column[Any]
    purpose: str

    @property
    def table(self) -> Table:
        """The table that has the column."""
        return self.column.table

    def __str__(self) -> str:
        return str(self.column)


# Its row ids are those of grants.
GRANT_TOKENS: Final = EncryptedColumn(
    upstream_tokens.c.tokens_encrypted, upstream_tokens.c.grant_id, of_tokens.PURPOSE
)
COLUMNS: Final = (
    EncryptedColumn(
        account_logins.c.code_verifier_encrypted,
        account_logins.c.id,
        of_account_logins.CODE_VERIFIER_PURPOSE,
    ),
    EncryptedColumn(
        account_logins.c.nonce_encrypted, account_logins.c.id, of_account_logins.NONCE_PURPOSE
    ),
    EncryptedColumn(
        authorizations.c.client_state_encrypted,
        authorizations.c.id,
        of_authorizations.CLIENT_STATE_PURPOSE,
    ),
    EncryptedColumn(
        authorizations.c.code_verifier_encrypted,
        authorizations.c.id,
        of_authorizations.CODE_VERIFIER_PURPOSE,
    ),
    EncryptedColumn(
        authorizations.c.nonce_encrypted, authorizations.c.id, of_authorizations.NONCE_PURPOSE
    ),
    EncryptedColumn(
        authorizations.c.account_tokens_encrypted,
        authorizations.c.id,
        of_authorizations.ACCOUNT_TOKENS_PURPOSE,
    ),
    GRANT_TOKENS,
    EncryptedColumn(
        upstream_revocations.c.tokens_encrypted, upstream_revocations.c.id, of_revocations.PURPOSE
    ),
)


class EncryptedValues:
    """The columns of COLUMNS, read in pages by row id."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(
        self, of: EncryptedColumn, *, after: str, limit: int
    ) -> Sequence[tuple[str, bytes]]:
        """Up to `limit` row ids after `after` ("" begins), with their values."""
        return await self._page(of, of.column, after, limit)

    async def headers(
        self, of: EncryptedColumn, *, after: str, limit: int
    ) -> Sequence[tuple[str, bytes]]:
        """Like page(), with only as much of each value as tells which key encrypted it."""
        header = func.substr(of.column, 1, HEADER_BYTES, type_=LargeBinary)
        return await self._page(of, header, after, limit)

    async def replace(self, of: EncryptedColumn, values: Mapping[str, tuple[bytes, bytes]]) -> None:
        """Put new values in the place of old ones: row id -> (old, new).

        A row that changed meanwhile, or that another transaction is changing, keeps what it has.
        """
        # Never waits for a row, so it can be no part of a deadlock.
        free = await self._connection.execute(
            select(of.row_id).where(of.row_id.in_(values)).with_for_update(skip_locked=True)
        )
        changes = [
            {"this_row": row_id, "old": values[row_id][0], "new": values[row_id][1]}
            for row_id in free.scalars()
        ]
        if changes:
            await self._connection.execute(
                update(of.table)
                .where(of.row_id == bindparam("this_row"), of.column == bindparam("old"))
                .values({of.column: bindparam("new")}),
                changes,
            )

    async def _page(
        self, of: EncryptedColumn, value: Any, after: str, limit: int
    ) -> Sequence[tuple[str, bytes]]:
        found = await self._connection.execute(
            select(of.row_id, value)
            .where(of.column.is_not(None), of.row_id > after)
            .order_by(of.row_id)
            .limit(limit)
        )
        return [(row_id, bytes(blob)) for row_id, blob in found]
