"""PingOne token sets: encrypted, versioned, and leased to the one replica that refreshes."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

import structlog
from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.upstream_tokens import StoredUpstreamTokens, UpstreamTokens
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
        self, grant_id: str, *, version: int, owner: str, now: datetime, lease_until: datetime
    ) -> bool:
        """True for the one caller that may refresh this version, until `lease_until`."""
        leased = await self._connection.execute(
            update(upstream_tokens)
            .where(
                upstream_tokens.c.grant_id == grant_id,
                upstream_tokens.c.version == version,
                or_(
                    upstream_tokens.c.lease_until.is_(None),
                    upstream_tokens.c.lease_until <= now,
                ),
            )
            .values(lease_owner=owner, lease_until=lease_until)
            .returning(upstream_tokens.c.version)
        )
        return leased.one_or_none() is not None

    async def store_refreshed(
        self, grant_id: str, tokens: UpstreamTokens, *, version: int, owner: str
    ) -> bool:
        """Replace `version` and end the lease; False if the lease went to another meanwhile."""
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
                lease_until=None,
            )
            .returning(upstream_tokens.c.version)
        )
        return stored.one_or_none() is not None

    async def fail_lease(self, grant_id: str, *, owner: str) -> None:
        """Keep others from trying until the lease lapses, and tell those who wait not to."""
        await self._connection.execute(
            update(upstream_tokens)
            .where(upstream_tokens.c.grant_id == grant_id, upstream_tokens.c.lease_owner == owner)
            .values(lease_owner=None)
        )

    async def release_lease(self, grant_id: str, *, owner: str) -> None:
        """Let others try, after a refresh that came to nothing; another's lease is untouched."""
        await self._connection.execute(
            update(upstream_tokens)
            .where(upstream_tokens.c.grant_id == grant_id, upstream_tokens.c.lease_owner == owner)
            .values(lease_owner=None, lease_until=None)
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
        is_being_refreshed=row[upstream_tokens.c.lease_owner] is not None,
    )


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
