"""Whether the key ring is the one that the database was encrypted with: asked at every start."""

from dataclasses import dataclass
from datetime import datetime

from auth_server.storage.database import Database, Transaction
from auth_server.storage.encryption import UnknownEncryptionKey


class KeysRefused(Exception):
    """The ring cannot open what the database holds. The text names key ids, never a key."""


@dataclass(frozen=True, slots=True)
class RingState:
    """The registered key ids: those that the ring opens, lacks, or has another key for."""

    known: tuple[str, ...]
    missing: tuple[str, ...]
    different: tuple[str, ...]


async def ring_state(tx: Transaction) -> RingState:
    """Compare the ring with the registry."""
    known: list[str] = []
    missing: list[str] = []
    different: list[str] = []
    for key in await tx.encryption_keys.all():
        try:
            is_same = tx.encryption_keys.is_same_key(key)
        except UnknownEncryptionKey:
            missing.append(key.key_id)
        else:
            (known if is_same else different).append(key.key_id)
    return RingState(tuple(known), tuple(missing), tuple(different))


async def check_ring(database: Database, *, now: datetime, may_lack: bool = False) -> None:
    """Register the ring's first key; raise KeysRefused if the ring lacks or mistakes another.

    Replicas may do so at once: one registers the key, all check the same rows. `may_lack` accepts
    a ring that lacks keys, for the command that finds out whether they are still needed.
    """
    async with database.reading() as tx:
        state = await ring_state(tx)
        first = tx.encryption_keys.ring_ids[0]
    _refuse_if_wrong(state, may_lack=may_lack)
    if first in state.known:
        return
    async with database.transaction() as tx:
        await tx.encryption_keys.register_first(now=now)
        # Again: another replica may have been first, with another key under this id.
        _refuse_if_wrong(await ring_state(tx), may_lack=may_lack)


def _refuse_if_wrong(state: RingState, *, may_lack: bool) -> None:
    problems = [
        f"the key {key_id} is not the {key_id} that this database was encrypted with:"
        " put the former back; a new key needs an id of its own"
        for key_id in state.different
    ]
    if state.missing and not may_lack:
        problems.append(
            f"the key ring lacks {', '.join(state.missing)}, with which this database was"
            " encrypted: put it back; it may leave once `auth keys rewrap` has replaced it"
        )
    if problems:
        raise KeysRefused("; ".join(problems))
