"""The outbox of revocations: a row is one sender's at a time, until it is done."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Executable, select, update

from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.storage.database import Database
from auth_server.storage.tables import upstream_revocations
from auth_server.storage.upstream_revocations import ClaimedRevocation

CLAIM = timedelta(seconds=50)
A_MOMENT = timedelta(microseconds=1)


async def claim(database: Database, at: datetime) -> ClaimedRevocation | None:
    """Take the row that is due."""
    async with database.transaction() as tx:
        return await tx.upstream_revocations.claim(now=at, until=at + CLAIM)


async def store(database: Database, tokens: UpstreamTokens, at: datetime) -> None:
    """Store a revocation."""
    async with database.transaction() as tx:
        await tx.upstream_revocations.insert(tokens, now=at)


async def test_a_row_is_claimed_once_and_again_when_the_claim_has_run_out(
    database: Database, new_tokens: Callable[..., UpstreamTokens], now: datetime
) -> None:
    tokens = new_tokens()
    await store(database, tokens, now)
    first = await claim(database, now)
    assert first is not None
    assert (first.tokens, first.created_at, first.attempts) == (tokens, now, 1)
    assert await claim(database, now + CLAIM - A_MOMENT) is None
    second = await claim(database, now + CLAIM)
    assert second is not None
    assert (second.id, second.attempts) == (first.id, 2)


async def test_rows_are_claimed_in_the_order_in_which_they_came_due(
    database: Database, new_tokens: Callable[..., UpstreamTokens], now: datetime
) -> None:
    late, early = new_tokens(), new_tokens()
    await store(database, late, now)
    await store(database, early, now - A_MOMENT)
    claimed = [await claim(database, now) for _ in range(3)]
    assert [one and one.tokens for one in claimed] == [early, late, None]


async def test_twenty_senders_at_once_get_every_row_once(
    database: Database,
    race: Callable[..., Awaitable[list[Any]]],
    new_tokens: Callable[..., UpstreamTokens],
    now: datetime,
) -> None:
    for _ in range(5):
        await store(database, new_tokens(), now)
    results = await race(lambda tx: tx.upstream_revocations.claim(now=now, until=now + CLAIM))
    ids = [one.id for one in results if one is not None]
    # A sender that waited for another's row may find nothing; the row is still there.
    while (left := await claim(database, now)) is not None:
        ids.append(left.id)
    assert len(ids) == len(set(ids)) == 5


async def test_a_claim_that_ran_out_cannot_put_off_the_next_ones_row(
    database: Database, new_tokens: Callable[..., UpstreamTokens], now: datetime
) -> None:
    await store(database, new_tokens(), now)
    slow = await claim(database, now)
    later = now + CLAIM
    assert slow is not None
    assert await claim(database, later) is not None
    async with database.transaction() as tx:
        await tx.upstream_revocations.postpone(slow, until=now)
    assert await claim(database, later) is None


async def test_a_row_that_is_done_is_gone(
    database: Database, new_tokens: Callable[..., UpstreamTokens], now: datetime
) -> None:
    await store(database, new_tokens(), now)
    claimed = await claim(database, now)
    assert claimed is not None
    async with database.transaction() as tx:
        assert await tx.upstream_revocations.count() == 1
        await tx.upstream_revocations.delete(claimed.id)
        assert await tx.upstream_revocations.count() == 0


async def test_tokens_copied_to_another_row_do_not_open(
    database: Database,
    tamper: Callable[[Executable], Awaitable[None]],
    new_tokens: Callable[..., UpstreamTokens],
    now: datetime,
) -> None:
    early = now - A_MOMENT
    await store(database, new_tokens(), early)
    await store(database, new_tokens(), now)
    other = upstream_revocations.alias()
    stolen = select(other.c.tokens_encrypted).where(other.c.created_at == now)
    await tamper(
        update(upstream_revocations)
        .where(upstream_revocations.c.created_at == early)
        .values(tokens_encrypted=stolen.scalar_subquery())
    )
    tampered, other_one = await claim(database, now), await claim(database, now)
    assert tampered is not None
    assert other_one is not None
    assert tampered.tokens is None
    assert other_one.tokens is not None
