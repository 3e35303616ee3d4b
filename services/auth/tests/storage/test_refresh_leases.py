"""The lease of a refresh: who may try, when again, and what is remembered of an attempt."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from auth_server.domain.grants import Grant
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.storage.database import Database

# As long as the fixture `acquire` leases.
LEASE = timedelta(seconds=20)
A_MOMENT = timedelta(microseconds=1)


@pytest.mark.usefixtures("tokens")
async def test_of_twenty_leases_at_once_exactly_one_is_given(
    race: Callable[..., Awaitable[list[Any]]], grant: Grant, now: datetime
) -> None:
    results = await race(
        lambda tx: tx.upstream_tokens.acquire_lease(
            grant.id,
            version=1,
            owner="anyone",
            now=now,
            lease_until=now + LEASE,
            repeat_since=None,
        )
    )
    assert sorted(results) == [False] * 19 + [True]


@pytest.mark.usefixtures("tokens")
async def test_a_lease_is_free_again_from_its_end_on(
    acquire: Callable[..., Any], now: datetime
) -> None:
    assert await acquire("one")
    assert not await acquire("two", at=now + LEASE - A_MOMENT)
    assert await acquire("two", at=now + LEASE)


@pytest.mark.usefixtures("tokens")
async def test_a_lease_needs_the_stored_version(acquire: Callable[..., Any]) -> None:
    assert not await acquire("one", version=2)
    assert not await acquire("one", version=0)
    assert await acquire("one", version=1)


@pytest.mark.usefixtures("tokens")
async def test_only_the_holder_ends_its_lease_and_says_when_the_next_may_try(
    database: Database, grant: Grant, acquire: Callable[..., Any], now: datetime
) -> None:
    soon = now + timedelta(seconds=5)
    assert await acquire("one")
    async with database.transaction() as tx:
        await tx.upstream_tokens.fail_lease(grant.id, owner="two", until=now, began_at=now)
    assert not await acquire("two")
    async with database.transaction() as tx:
        await tx.upstream_tokens.fail_lease(grant.id, owner="one", until=soon, began_at=now)
    assert not await acquire("two", at=soon - A_MOMENT)
    assert await acquire("two", at=soon)


@pytest.mark.usefixtures("tokens")
async def test_an_attempt_of_unknown_outcome_is_repeated_only_if_it_began_late_enough(
    acquire: Callable[..., Any], now: datetime
) -> None:
    later = now + LEASE
    assert await acquire("died")
    assert not await acquire("two", at=later, repeat_since=now + A_MOMENT)
    assert await acquire("two", at=later, repeat_since=now)
    # The outcome of the first one stays unknown, however often it is repeated.
    assert not await acquire("three", at=later + LEASE, repeat_since=now + A_MOMENT)
    assert await acquire("three", at=later + LEASE, repeat_since=None)


@pytest.mark.usefixtures("tokens")
async def test_an_attempt_that_was_not_carried_out_leaves_what_is_unknown_of_an_earlier_one(
    database: Database, grant: Grant, acquire: Callable[..., Any], now: datetime
) -> None:
    later, never = now + LEASE, now + timedelta(days=1)
    assert await acquire("refused", at=now)
    async with database.transaction() as tx:
        await tx.upstream_tokens.fail_lease(grant.id, owner="refused", until=now, began_at=now)
    assert await acquire("timed out", at=now, repeat_since=never)
    async with database.transaction() as tx:
        await tx.upstream_tokens.fail_lease(grant.id, owner="timed out", until=now, began_at=None)
    assert await acquire("refused", at=later, repeat_since=now)
    async with database.transaction() as tx:
        await tx.upstream_tokens.fail_lease(grant.id, owner="refused", until=later, began_at=later)
    assert not await acquire("another", at=later, repeat_since=never)


@pytest.mark.usefixtures("tokens")
async def test_a_stored_refresh_leaves_nothing_unknown_and_may_ask_for_a_pause(
    database: Database,
    grant: Grant,
    new_tokens: Callable[..., UpstreamTokens],
    acquire: Callable[..., Any],
    now: datetime,
) -> None:
    soon, never = now + timedelta(seconds=5), now + timedelta(days=1)
    assert await acquire("one")
    async with database.transaction() as tx:
        assert await tx.upstream_tokens.store_refreshed(
            grant.id, new_tokens(), version=1, owner="one", not_before=soon
        )
    assert not await acquire("two", version=2, at=soon - A_MOMENT, repeat_since=never)
    assert await acquire("two", version=2, at=soon, repeat_since=never)
