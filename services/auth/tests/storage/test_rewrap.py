"""Rewrapping: everything comes under the ring's first key, beside whatever else goes on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import LargeBinary, select, update
from sqlalchemy.sql import Executable

from auth_server.domain.grants import Grant
from auth_server.storage.database import Database, Transaction
from auth_server.storage.encrypted_values import COLUMNS
from auth_server.storage.encryption import Encryption, KeyRing
from auth_server.storage.rewrap import NO_KEY, Rewrapped, rewrap, values_by_key
from auth_server.storage.ring_check import check_ring
from auth_server.storage.tables import (
    authorizations,
    encryption_keys,
    metadata,
    refresh_handles,
    spent_account_logins,
    upstream_tokens,
)

KEYS = {"lost": bytes([9]) * 32, "old": bytes([1]) * 32, "new": bytes([2]) * 32}
COPIES = 5
CLOCK = partial(datetime.now, UTC)
# Per copy: tokens; state, verifier and nonce; state and the account's tokens; a revocation.
VALUES = COPIES * (1 + 3 + 2 + 1)

Fill = Callable[..., Awaitable[list[Grant]]]
Tamper = Callable[[Executable], Awaitable[None]]


class Interrupted(Database):
    """A database in which something else happens just before a write."""

    before_next_write: Callable[[], Awaitable[Any]] | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Let the other go first, once."""
        happens, self.before_next_write = self.before_next_write, None
        if happens is not None:
            await happens()
        async with super().transaction() as tx:
            yield tx


def encryption_of(*key_ids: str) -> Encryption:
    return Encryption(KeyRing([(key_id, KEYS[key_id]) for key_id in key_ids]))


@pytest.fixture
async def opened_as(database_url: str) -> AsyncIterator[Callable[..., Interrupted]]:
    """The database as a process whose ring has these keys sees it."""
    databases: list[Interrupted] = []

    def build(*key_ids: str) -> Interrupted:
        databases.append(Interrupted(database_url, encryption_of(*key_ids)))
        return databases[-1]

    yield build
    for database in databases:
        await database.close()


@pytest.fixture
def fill(
    new_grant: Callable[..., Grant],
    new_tokens: Callable[..., Any],
    new_pending: Callable[..., Any],
    store_second_consent: Callable[..., Awaitable[Any]],
    now: datetime,
) -> Fill:
    """Registers the first key and stores some of everything that is encrypted under it."""

    async def fill_it(database: Database, copies: int = COPIES) -> list[Grant]:
        await check_ring(database, now=now, may_lack=True)
        filled = [new_grant() for _ in range(copies)]
        async with database.transaction() as tx:
            for grant in filled:
                await tx.grants.insert(grant)
                await tx.upstream_tokens.insert(grant.id, new_tokens())
                await tx.authorizations.start(new_pending())
                await store_second_consent(tx)
                await tx.upstream_revocations.insert(new_tokens(), now=now)
        return filled

    return fill_it


async def run(database: Database, *key_ids: str, batch: int = 3) -> Rewrapped:
    encryption = encryption_of(*key_ids)
    return await rewrap(
        database, encryption, batch=batch, on_progress=lambda _count: None, now=CLOCK
    )


async def lease(tx: Transaction, grant: Grant, now: datetime) -> None:
    until = now + timedelta(minutes=1)
    assert await tx.upstream_tokens.acquire_lease(
        grant.id, version=1, owner="me", now=now, lease_until=until, repeat_since=now
    )


async def stored(database: Database, grant: Grant) -> Any:
    async with database.reading() as tx:
        return await tx.upstream_tokens.find(grant.id)


async def everything(database: Database) -> dict[tuple[str, str], bytes]:
    async with database.reading() as tx:
        return {
            (str(column), row_id): blob
            for column in COLUMNS
            for row_id, blob in await tx.encrypted_values.page(column, after="", limit=1000)
        }


async def registered(database: Database) -> set[str]:
    async with database.reading() as tx:
        return {key.key_id for key in await tx.encryption_keys.all()}


def test_every_encrypted_column_is_rewrapped_but_those_that_no_ring_opens() -> None:
    encrypted = {
        column
        for table in metadata.tables.values()
        for column in table.columns
        if column.name.endswith("_encrypted") and isinstance(column.type, LargeBinary)
    }
    opened_by_no_ring = {
        authorizations.c.answer_encrypted,
        refresh_handles.c.answer_encrypted,
        spent_account_logins.c.answer_encrypted,
        encryption_keys.c.proof_encrypted,
    }
    assert {item.column for item in COLUMNS} == encrypted - opened_by_no_ring


@pytest.mark.parametrize("batch", [1, 3, COPIES, 500])
async def test_all_is_readable_with_the_new_key_alone_afterwards(
    opened_as: Callable[..., Interrupted], fill: Fill, batch: int, now: datetime
) -> None:
    old = opened_as("old")
    filled = await fill(old)
    before = [await stored(old, grant) for grant in filled]
    database = opened_as("new", "old")
    await check_ring(database, now=now)
    done = await run(database, "new", "old", batch=batch)
    assert (done.under_first, done.left, done.forgotten) == (VALUES, {}, ("old",))
    assert await registered(database) == {"new"}
    alone = opened_as("new")
    await check_ring(alone, now=now)
    assert [await stored(alone, grant) for grant in filled] == before
    expired = now + timedelta(days=1)
    async with alone.transaction() as tx:
        assert len(await tx.authorizations.take_expired_tokens(now=expired, limit=99)) == COPIES
        claimed = await tx.upstream_revocations.claim(now=now, until=expired)
    assert claimed is not None
    assert claimed.tokens is not None


async def test_progress_is_told_value_by_value(
    opened_as: Callable[..., Interrupted], fill: Fill
) -> None:
    await fill(opened_as("old"))
    told: list[int] = []
    database, encryption = opened_as("new", "old"), encryption_of("new", "old")
    await rewrap(database, encryption, batch=2, on_progress=told.append, now=CLOCK)
    assert sum(told) == VALUES
    assert max(told) == 2


async def test_versions_and_leases_stay_as_they_are(
    opened_as: Callable[..., Interrupted], fill: Fill, now: datetime
) -> None:
    old = opened_as("old")
    grant, *_ = await fill(old)
    async with old.transaction() as tx:
        await lease(tx, grant, now)
    columns = [column for column in upstream_tokens.c if column.name != "tokens_encrypted"]
    query = select(*columns).order_by(upstream_tokens.c.grant_id)
    async with old.reading_connection() as connection:
        before = (await connection.execute(query)).all()
    await run(opened_as("new", "old"), "new", "old")
    async with old.reading_connection() as connection:
        assert (await connection.execute(query)).all() == before


async def test_an_interrupted_run_goes_on_where_it_was(
    opened_as: Callable[..., Interrupted], fill: Fill
) -> None:
    await fill(opened_as("old"))
    database = opened_as("new", "old")

    def stop(_count: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        await rewrap(database, encryption_of("new", "old"), batch=3, on_progress=stop, now=CLOCK)
    assert await values_by_key(database) == {"new": 3, "old": VALUES - 3}
    assert "old" in await registered(database)
    halfway = await everything(database)
    await run(database, "new", "old")
    finished = await everything(database)
    assert len(finished.items() & halfway.items()) == 3
    assert await values_by_key(database) == {"new": VALUES}


@pytest.mark.parametrize("their_ring", [("new", "old"), ("old", "new")])
async def test_a_refresh_meanwhile_wins(
    opened_as: Callable[..., Interrupted],
    fill: Fill,
    new_tokens: Callable[..., Any],
    now: datetime,
    their_ring: tuple[str, ...],
) -> None:
    grant, *_ = await fill(opened_as("old"), copies=1)
    replica, database, refreshed = opened_as(*their_ring), opened_as("new", "old"), new_tokens()
    column = next(item for item in COLUMNS if item.column.table is upstream_tokens)
    async with database.reading() as tx:
        ((row_id, read_before),) = await tx.encrypted_values.page(column, after="", limit=2)
    async with replica.transaction() as tx:
        await lease(tx, grant, now)
        assert await tx.upstream_tokens.store_refreshed(grant.id, refreshed, version=1, owner="me")
    async with database.transaction() as tx:
        await tx.encrypted_values.replace(column, {row_id: (read_before, b"of what was before")})
    done = await run(database, "new", "old")
    assert not done.left
    found = await stored(opened_as("new"), grant)
    assert (found.tokens, found.version) == (refreshed, 2)


async def test_what_another_replica_still_writes_with_the_old_key_is_done_in_a_second_pass(
    opened_as: Callable[..., Interrupted], fill: Fill
) -> None:
    old = opened_as("old")
    await fill(old)
    database = opened_as("new", "old")
    database.before_next_write = lambda: fill(old)
    done = await run(database, "new", "old")
    assert (done.under_first, done.left) == (2 * VALUES, {})


async def test_a_key_that_is_written_with_all_the_time_is_not_forgotten(
    opened_as: Callable[..., Interrupted], fill: Fill
) -> None:
    old = opened_as("old")
    await fill(old)
    database = opened_as("new", "old")

    async def again() -> None:
        database.before_next_write = again
        await fill(old, copies=1)

    database.before_next_write = again
    done = await run(database, "new", "old", batch=500)
    assert done.left["old"] > 0
    assert done.forgotten == ()
    assert "old" in await registered(database)


async def test_values_under_a_key_that_is_gone_are_counted_and_the_rest_is_done(
    opened_as: Callable[..., Interrupted], fill: Fill
) -> None:
    await fill(opened_as("lost"))
    await fill(opened_as("old"))
    database = opened_as("new", "old")
    done = await run(database, "new", "old")
    assert (done.under_first, done.lacking) == (VALUES, {"lost": VALUES})
    assert done.left == done.lacking
    assert done.forgotten == ("old",)
    assert await registered(database) == {"lost"}


async def test_a_value_that_was_moved_or_altered_is_counted_and_left_alone(
    opened_as: Callable[..., Interrupted], fill: Fill, tamper: Tamper
) -> None:
    one, other, *_ = await fill(opened_as("old"))
    database = opened_as("new", "old")
    tokens = upstream_tokens.c.tokens_encrypted
    copied = select(tokens).where(upstream_tokens.c.grant_id == other.id).scalar_subquery()
    await tamper(
        update(upstream_tokens)
        .where(upstream_tokens.c.grant_id == one.id)
        .values(tokens_encrypted=copied)
    )
    await tamper(
        update(upstream_tokens)
        .where(upstream_tokens.c.grant_id == other.id)
        .values(tokens_encrypted=b"nonsense")
    )
    done = await run(database, "new", "old")
    assert done.damaged == {"old": 1, NO_KEY: 1}
    assert (done.under_first, done.forgotten) == (VALUES - 2, ())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_row_that_is_being_changed_is_not_waited_for(
    opened_as: Callable[..., Interrupted], fill: Fill, now: datetime
) -> None:
    old = opened_as("old")
    grant, *_ = await fill(old)
    database = opened_as("new", "old")
    async with old.transaction() as tx:
        await lease(tx, grant, now)
        done = await run(database, "new", "old")
        assert done.left == {"old": 1}
        assert done.forgotten == ()
    assert not (await run(database, "new", "old")).left
