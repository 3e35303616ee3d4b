"""The registry of keys: each that has ever been the first of a ring, until it has been replaced."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.storage.encryption import DecryptionFailed, Encryption
from auth_server.storage.tables import encryption_keys

PURPOSE: Final = "encryption_keys.proof"
# What a proof says does not matter; that it opens shows that the key is the one of its id.
_PROOF: Final = b"mcp-pingone"


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """A key that values may be encrypted with, and the proof of which key that is."""

    key_id: str
    first_used_at: datetime
    proof_encrypted: bytes


class EncryptionKeys:
    """The table `encryption_keys`."""

    def __init__(self, connection: AsyncConnection, encryption: Encryption) -> None:
        self._connection = connection
        self._encryption = encryption

    @property
    def ring_ids(self) -> tuple[str, ...]:
        """The ids of this process's ring, the one that encrypts first."""
        return self._encryption.key_ids

    async def all(self) -> tuple[RegisteredKey, ...]:
        """Every registered key, the oldest first."""
        found = await self._connection.execute(
            select(encryption_keys).order_by(
                encryption_keys.c.first_used_at, encryption_keys.c.key_id
            )
        )
        return tuple(
            RegisteredKey(row.key_id, row.first_used_at, row.proof_encrypted) for row in found
        )

    async def register_first(self, *, now: datetime) -> None:
        """Register the ring's first key, unless its id is there already (with whatever key)."""
        key_id = self._encryption.key_ids[0]
        proof = self._encryption.encrypt(_PROOF, row_id=key_id, purpose=PURPOSE)
        values = {"key_id": key_id, "proof_encrypted": proof, "first_used_at": now}
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        await self._connection.execute(
            dialect.insert(encryption_keys).values(values).on_conflict_do_nothing()
        )

    def is_same_key(self, registered: RegisteredKey) -> bool:
        """Whether the ring's key of this id is the registered one; UnknownEncryptionKey if none."""
        try:
            self._encryption.decrypt(
                registered.proof_encrypted, row_id=registered.key_id, purpose=PURPOSE
            )
        except DecryptionFailed:
            return False
        return True

    async def delete(self, key_ids: Collection[str]) -> None:
        """Forget keys that nothing is encrypted with any more."""
        await self._connection.execute(
            delete(encryption_keys).where(encryption_keys.c.key_id.in_(key_ids))
        )
