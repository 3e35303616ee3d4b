"""The registry of keys: a process that could not read what is stored does not start."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import pytest

from auth_server.storage.database import Database
from auth_server.storage.encryption import Encryption, KeyRing
from auth_server.storage.ring_check import KeysRefused, check_ring

REPLICAS = 8

OpenWith = Callable[..., Database]


def key(number: int) -> bytes:
    return bytes([number]) * 32


@pytest.fixture
async def open_with(database_url: str) -> AsyncIterator[OpenWith]:
    """Opens the database as a process with this ring does: open_with(k1=1, k2=2)."""
    databases: list[Database] = []

    def build(**keys: int) -> Database:
        ring = KeyRing([(key_id, key(number)) for key_id, number in keys.items()])
        databases.append(Database(database_url, Encryption(ring)))
        return databases[-1]

    yield build
    for database in databases:
        await database.close()


async def registered(database: Database) -> list[str]:
    async with database.reading() as tx:
        return [key.key_id for key in await tx.encryption_keys.all()]


async def test_the_first_key_is_registered_once(open_with: OpenWith, now: datetime) -> None:
    database = open_with(k1=1, k2=2)
    await check_ring(database, now=now)
    await check_ring(database, now=now)
    assert await registered(database) == ["k1"]
    async with database.reading() as tx:
        assert [key.first_used_at for key in await tx.encryption_keys.all()] == [now]


async def test_replicas_that_start_at_once_register_one_key(
    open_with: OpenWith, now: datetime
) -> None:
    replicas = [open_with(k1=1) for _ in range(REPLICAS)]
    await asyncio.gather(*(check_ring(replica, now=now) for replica in replicas))
    assert await registered(replicas[0]) == ["k1"]


async def test_replicas_with_different_keys_under_one_id_do_not_both_start(
    open_with: OpenWith, now: datetime
) -> None:
    replicas = [open_with(k1=number) for number in range(REPLICAS)]
    results = await asyncio.gather(
        *(check_ring(replica, now=now) for replica in replicas), return_exceptions=True
    )
    assert results.count(None) == 1
    refusals = {str(result) for result in results if result is not None}
    [told] = refusals
    assert told.startswith("the key k1 is not the k1 that this database was encrypted with: ")


async def test_a_registered_key_that_the_ring_lacks_is_named(
    open_with: OpenWith, now: datetime
) -> None:
    await check_ring(open_with(k1=1), now=now)
    await check_ring(open_with(k2=2, k1=1), now=now)
    with pytest.raises(KeysRefused, match="lacks k1, k2,"):
        await check_ring(open_with(k3=3), now=now)
    assert await registered(open_with(k1=1)) == ["k1", "k2"]


async def test_a_new_key_under_an_old_id_is_refused(open_with: OpenWith, now: datetime) -> None:
    await check_ring(open_with(k1=1), now=now)
    with pytest.raises(KeysRefused, match="the key k1 is not the k1 that"):
        await check_ring(open_with(k1=9), now=now)
    with pytest.raises(KeysRefused, match="the key k1 is not the k1 that"):
        await check_ring(open_with(k2=2, k1=9), now=now, may_lack=True)


async def test_the_order_of_the_ring_may_change(open_with: OpenWith, now: datetime) -> None:
    await check_ring(open_with(k1=1, k2=2), now=now)
    await check_ring(open_with(k2=2, k1=1), now=now)
    await check_ring(open_with(k1=1, k2=2), now=now)


async def test_who_looks_for_missing_keys_may_lack_some(open_with: OpenWith, now: datetime) -> None:
    await check_ring(open_with(k1=1), now=now)
    database = open_with(k2=2)
    await check_ring(database, now=now, may_lack=True)
    assert await registered(database) == ["k1", "k2"]


async def test_a_refusal_holds_no_key(open_with: OpenWith, now: datetime) -> None:
    await check_ring(open_with(k1=1), now=now)
    database = open_with(k1=9)
    with pytest.raises(KeysRefused) as refused:
        await check_ring(database, now=now)
    assert repr(key(9)) not in repr(refused.value)
    assert key(9).decode("latin-1") not in str(refused.value)
