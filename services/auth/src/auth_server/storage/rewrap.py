"""Puts every encrypted value under the ring's first key, so that older keys may leave.

In batches, beside running replicas: a value that changed meanwhile is left as it is and looked at
again. What is done is done, so an interrupted run is simply started again.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent
from auth_server.storage.database import Database
from auth_server.storage.encrypted_values import COLUMNS, GRANT_TOKENS, EncryptedColumn
from auth_server.storage.encryption import (
    DecryptionFailed,
    Encryption,
    UnknownEncryptionKey,
    key_id_of,
)

# Under this name values are counted that do not name a key at all.
NO_KEY: Final = "(none)"
PAGE: Final = 1000
# One does the work; more are for what was being changed when it was its turn.
_PASSES: Final = 5


@dataclass(slots=True)
class Rewrapped:
    """What a run came to. Counters are by key id."""

    under_first: int = 0
    left: Counter[str] = field(default_factory=Counter)
    lacking: Counter[str] = field(default_factory=Counter)
    damaged: Counter[str] = field(default_factory=Counter)
    forgotten: tuple[str, ...] = ()


async def values_by_key(database: Database) -> Counter[str]:
    """How many values each key encrypts, counted one by one."""
    counts: Counter[str] = Counter()
    for column in COLUMNS:
        async for page in _key_ids(database, column):
            counts.update(key_id for _, key_id in page)
    return counts


async def grants_under(database: Database, key_id: str) -> list[str]:
    """The ids of the grants whose PingOne tokens are under this key."""
    pages = [page async for page in _key_ids(database, GRANT_TOKENS)]
    return [grant_id for page in pages for grant_id, its_key in page if its_key == key_id]


async def rewrap(
    database: Database,
    encryption: Encryption,
    *,
    batch: int,
    on_progress: Callable[[int], None],
    now: Callable[[], datetime],
) -> Rewrapped:
    """Re-encrypt what is not under the first key, then forget keys that nothing is under any more.

    on_progress gets the number of values of each batch that have been dealt with. A key is
    forgotten only after a last count has found nothing under it.
    """
    first = encryption.key_ids[0]
    result = Rewrapped()
    for _ in range(_PASSES):
        result.lacking.clear()
        result.damaged.clear()
        for column in COLUMNS:
            await _rewrap_column(database, encryption, column, batch, on_progress, result)
        counts = await values_by_key(database)
        result.under_first = counts.pop(first, 0)
        result.left = counts
        if counts.total() <= result.lacking.total() + result.damaged.total():
            break
    async with database.transaction() as tx:
        registered = {key.key_id for key in await tx.encryption_keys.all()}
        result.forgotten = tuple(sorted(registered - result.left.keys() - {first}))
        await tx.encryption_keys.delete(result.forgotten)
        rewrapped = AuditEvent(
            AuditAction.KEYS_REWRAPPED,
            AuditActor.OPERATOR,
            note=f"forgotten: {' '.join(result.forgotten) or '-'}",
        )
        await tx.audit_events.append(rewrapped, now=now())
    return result


async def _key_ids(
    database: Database, column: EncryptedColumn
) -> AsyncIterator[list[tuple[str, str]]]:
    """Page by page: row ids, with the ids of the keys that their values are under."""
    after, page = "", [("", b"")] * PAGE
    while len(page) == PAGE:
        async with database.reading() as tx:
            page = list(await tx.encrypted_values.headers(column, after=after, limit=PAGE))
        yield [(row_id, _key_id(header)) for row_id, header in page]
        after = page[-1][0] if page else after


async def _rewrap_column(
    database: Database,
    encryption: Encryption,
    column: EncryptedColumn,
    batch: int,
    on_progress: Callable[[int], None],
    result: Rewrapped,
) -> None:
    after = ""
    while True:
        async with database.reading() as tx:
            page = await tx.encrypted_values.page(column, after=after, limit=batch)
        # Outside of any transaction: nobody waits for the arithmetic.
        changes = _changes(encryption, column, dict(page), result)
        if changes:
            async with database.transaction() as tx:
                await tx.encrypted_values.replace(column, changes)
            on_progress(len(changes))
        if len(page) < batch:
            return
        after = page[-1][0]


def _changes(
    encryption: Encryption, column: EncryptedColumn, page: Mapping[str, bytes], result: Rewrapped
) -> dict[str, tuple[bytes, bytes]]:
    first = encryption.key_ids[0]
    changes = {}
    for row_id, old in page.items():
        key_id = _key_id(old)
        if key_id == first:
            continue
        try:
            plaintext = encryption.decrypt(old, row_id=row_id, purpose=column.purpose)
        except UnknownEncryptionKey:
            result.lacking[key_id] += 1
        except DecryptionFailed:
            result.damaged[key_id] += 1
        else:
            new = encryption.encrypt(plaintext, row_id=row_id, purpose=column.purpose)
            changes[row_id] = (old, new)
    return changes


def _key_id(blob: bytes) -> str:
    try:
        return key_id_of(blob)
    except DecryptionFailed:
        return NO_KEY
