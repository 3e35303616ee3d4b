"""PingOne token sets: encrypted, versioned, and leased to the one replica that refreshes."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

import structlog
from sqlalchemy import delete, func, insert, literal, or_, select, true, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from auth_server.domain.upstream_tokens import StoredUpstreamTokens, UpstreamTokens
from auth_server.storage.column_types import UtcDateTime
from auth_server.storage.encryption import (
    DecryptionFailed,
    Encryption,
    UnknownEncryptionKey,
)
from auth_server.storage.tables import upstream_tokens

PURPOSE: Final = "upstream_tokens.tokens"

TokensT = TypeVar("TokensT")

_log = structlog.get_logger(__name__)


class UpstreamTokenSets:
    """The table `upstream_tokens`."""

    def __init__(self, connection: AsyncConnection, encryption: Encryption) -> None:
        self._connection = connection
        self._encryption = encryption

    async def insert(self, grant_id: str, tokens: UpstreamTokens) -> None:
        """Store the first token set of a grant, as version 1."""
        await self._connection.execute(
            insert(upstream_tokens).values(
                grant_id=grant_id, tokens_encrypted=self._encrypt(grant_id, tokens), version=1
            )
        )

    async def find(self, grant_id: str) -> StoredUpstreamTokens | None:
        """The token set of a grant; None if it has none (any more)."""
        found = await self._connection.execute(
            select(upstream_tokens).where(upstream_tokens.c.grant_id == grant_id)
        )
        row = found.mappings().one_or_none()
        return None if row is None else stored_tokens_of(row, self._encryption)

    async def acquire_lease(
        self,
        grant_id: str,
        *,
        version: int,
        owner: str,
        now: datetime,
        lease_until: datetime,
        repeat_since: datetime | None,
    ) -> bool:
        """True for the one caller that may refresh this version, until `lease_until`.

        An earlier attempt whose outcome is unknown is repeated only if it began at `repeat_since`
        or later; None: in any case. From here on the outcome of this one is unknown.
        """
        leased = await self._connection.execute(
            update(upstream_tokens)
            .where(
                upstream_tokens.c.grant_id == grant_id,
                upstream_tokens.c.version == version,
                or_(
                    upstream_tokens.c.lease_until.is_(None),
                    upstream_tokens.c.lease_until <= now,
                ),
                _may_be_repeated(repeat_since),
            )
            .values(
                lease_owner=owner,
                lease_until=lease_until,
                attempted_at=func.coalesce(
                    upstream_tokens.c.attempted_at, literal(now, UtcDateTime)
                ),
            )
            .returning(upstream_tokens.c.version)
        )
        return leased.one_or_none() is not None

    async def store_refreshed(
        self,
        grant_id: str,
        tokens: UpstreamTokens,
        *,
        version: int,
        owner: str,
        not_before: datetime | None = None,
    ) -> bool:
        """Replace `version` and end the lease; False if the lease went to another meanwhile.

        The next refresh is due when it is due, but `not_before`.
        """
        stored = await self._connection.execute(
            update(upstream_tokens)
            .where(
                upstream_tokens.c.grant_id == grant_id,
                upstream_tokens.c.lease_owner == owner,
                upstream_tokens.c.version == version,
            )
            .values(
                tokens_encrypted=self._encrypt(grant_id, tokens),
                version=version + 1,
                lease_owner=None,
                lease_until=not_before,
                attempted_at=None,
            )
            .returning(upstream_tokens.c.version)
        )
        return stored.one_or_none() is not None

    async def fail_lease(
        self, grant_id: str, *, owner: str, until: datetime, began_at: datetime | None
    ) -> None:
        """Nobody may try before `until`; another's lease is untouched.

        `began_at` is for an attempt that was certainly not carried out: its mark is taken back.
        What is unknown of an earlier one stays unknown.
        """
        await self._connection.execute(
            update(upstream_tokens)
            .where(upstream_tokens.c.grant_id == grant_id, upstream_tokens.c.lease_owner == owner)
            .values(
                lease_owner=None,
                lease_until=until,
                attempted_at=func.nullif(
                    upstream_tokens.c.attempted_at, literal(began_at, UtcDateTime)
                ),
            )
        )

    async def delete(self, grant_id: str) -> StoredUpstreamTokens | None:
        """Take the token set out; one caller gets it, to revoke it at PingOne."""
        deleted = await self._connection.execute(
            delete(upstream_tokens)
            .where(upstream_tokens.c.grant_id == grant_id)
            .returning(upstream_tokens)
        )
        row = deleted.mappings().one_or_none()
        return (
            None
            if row is None
            else readable_tokens(
                lambda: stored_tokens_of(row, self._encryption), row[upstream_tokens.c.grant_id]
            )
        )

    def _encrypt(self, grant_id: str, tokens: UpstreamTokens) -> bytes:
        return self._encryption.encrypt(encode_tokens(tokens), row_id=grant_id, purpose=PURPOSE)


def stored_tokens_of(row: RowMapping, encryption: Encryption) -> StoredUpstreamTokens:
    """The token set in a row, which may be a joined one, decrypted."""
    plaintext = encryption.decrypt(
        row[upstream_tokens.c.tokens_encrypted],
        row_id=row[upstream_tokens.c.grant_id],
        purpose=PURPOSE,
    )
    return StoredUpstreamTokens(
        decode_tokens(plaintext),
        row[upstream_tokens.c.version],
        is_leased=row[upstream_tokens.c.lease_owner] is not None,
        lease_until=row[upstream_tokens.c.lease_until],
        attempted_at=row[upstream_tokens.c.attempted_at],
    )


def _may_be_repeated(repeat_since: datetime | None) -> ColumnElement[bool]:
    attempted_at = upstream_tokens.c.attempted_at
    if repeat_since is None:
        return true()
    return attempted_at.is_(None) | (attempted_at >= repeat_since)


def readable_tokens(read: Callable[[], TokensT], row_id: str) -> TokensT | None:
    """What read() decrypts; None, and a line for the operator, if no key of the ring opens it.

    For rows that are being deleted: an end must not depend on a key that is gone.
    """
    try:
        return read()
    except (UnknownEncryptionKey, DecryptionFailed) as error:
        _log.error("upstream_tokens.unreadable", row_id=row_id, reason=str(error))
        return None


def encode_tokens(tokens: UpstreamTokens) -> bytes:
    """A token set as the plaintext of one encrypted value: its members cannot be mixed later."""
    return json.dumps(
        {
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "scope": tokens.scope,
            "expires_at": tokens.expires_at.isoformat(),
        }
    ).encode("utf-8")


def decode_tokens(plaintext: bytes) -> UpstreamTokens:
    """The reverse of encode_tokens, for bytes that decryption has proven to be ours."""
    members = json.loads(plaintext)
    return UpstreamTokens(
        access_token=members["access_token"],
        refresh_token=members["refresh_token"],
        scope=members["scope"],
        expires_at=datetime.fromisoformat(members["expires_at"]),
    )
