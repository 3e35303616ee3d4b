"""Grants: revoked once, and everything that hangs on them goes with them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from auth_server.domain.grants import AuthorizationCode, Grant, RevocationReason, Subject
from auth_server.domain.handles import Handle, RefreshHandle, digest
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.storage.database import Database, Transaction

A_MOMENT = timedelta(microseconds=1)


async def find(database: Database, grant: Grant) -> Grant | None:
    async with database.reading() as tx:
        return await tx.grants.find(grant.id)


async def test_a_grant_comes_back_as_it_was_stored(database: Database, grant: Grant) -> None:
    assert await find(database, grant) == grant
    async with database.reading() as tx:
        assert await tx.grants.find("unknown") is None


@pytest.mark.parametrize("reason", RevocationReason)
async def test_a_grant_is_revoked_once(
    database: Database, grant: Grant, now: datetime, reason: RevocationReason
) -> None:
    async with database.transaction() as tx:
        revoked = await tx.grants.revoke(grant.id, reason, now=now)
        assert revoked == replace(grant, revoked_at=now, revocation_reason=reason)
        later = now + timedelta(hours=1)
        assert await tx.grants.revoke(grant.id, RevocationReason.CLIENT, now=later) is None
        assert await tx.grants.revoke("unknown", reason, now=now) is None
    assert await find(database, grant) == revoked


async def test_of_twenty_revocations_at_once_exactly_one_wins(
    race: Callable[..., Awaitable[list[Any]]], grant: Grant, now: datetime
) -> None:
    results = await race(lambda tx: tx.grants.revoke(grant.id, RevocationReason.CLIENT, now=now))
    assert len([result for result in results if result is not None]) == 1


async def test_the_sweep_deletes_grants_that_ended_before_then(
    database: Database, new_grant: Callable[..., Grant], now: datetime
) -> None:
    ended = [new_grant(revoked_at=now), new_grant(expires_at=now)]
    kept = [new_grant(revoked_at=now + A_MOMENT), new_grant(expires_at=now + A_MOMENT)]
    async with database.transaction() as tx:
        for grant in ended + kept:
            await tx.grants.insert(grant)
        assert await tx.grants.delete_ended(before=now, limit=1) == 1
        assert await tx.grants.delete_ended(before=now, limit=9) == 1
        assert await tx.grants.delete_ended(before=now, limit=9) == 0
    assert [await find(database, grant) for grant in ended + kept] == [None, None, *kept]


async def test_what_hangs_on_a_deleted_grant_is_deleted_too(
    database: Database,
    grant: Grant,
    new_code: Callable[..., AuthorizationCode],
    new_access: Callable[..., Handle],
    new_refresh: Callable[..., RefreshHandle],
    new_tokens: Callable[..., UpstreamTokens],
    now: datetime,
) -> None:
    async with database.transaction() as tx:
        await tx.codes.insert(digest("code"), new_code(grant))
        await tx.handles.insert_access(digest("access"), new_access(grant))
        await tx.handles.insert_refresh(digest("refresh"), new_refresh(grant))
        await tx.upstream_tokens.insert(grant.id, new_tokens())
        assert await tx.grants.delete_ended(before=grant.expires_at, limit=9) == 1
        assert await tx.codes.redeem(digest("code"), "client", now=now) is None
        assert await tx.handles.find_grant_of(digest("access")) is None
        assert await tx.handles.find_refresh(digest("refresh")) is None
        assert await tx.upstream_tokens.find(grant.id) is None


async def test_nothing_can_hang_on_a_grant_that_does_not_exist(
    database: Database, new_grant: Callable[..., Grant], new_access: Callable[..., Handle]
) -> None:
    with pytest.raises(IntegrityError):
        async with database.transaction() as tx:
            await tx.handles.insert_access(digest("access"), new_access(new_grant()))


async def test_the_grants_in_use_are_found_with_the_most_recently_used_first(
    database: Database,
    new_grant: Callable[..., Grant],
    new_code: Callable[..., AuthorizationCode],
    now: datetime,
) -> None:
    idle, middle, busy = (
        new_grant(last_used_at=now - timedelta(days=days), created_at=now - timedelta(days=9))
        for days in (3, 2, 1)
    )
    others = (
        new_grant(client_id="another"),
        new_grant(subject=Subject("user-2", "ada@example.com")),
        new_grant(revoked_at=now),
        new_grant(expires_at=now),
    )
    unredeemed = new_grant()

    async def in_use(tx: Transaction) -> list[str]:
        return [grant.id for grant in await tx.grants.in_use("user-1", "client", now=now)]

    async with database.transaction() as tx:
        for grant in (middle, *others, unredeemed, idle, busy):
            await tx.grants.insert(grant)
        await tx.codes.insert(digest("code"), new_code(unredeemed))
        assert await in_use(tx) == [busy.id, middle.id, idle.id]
        await tx.grants.touch(idle.id, now=now)
        assert await in_use(tx) == [idle.id, busy.id, middle.id]
        assert await tx.grants.unredeemed("user-1", "client") == (unredeemed.id,)
        assert await tx.grants.unredeemed("user-1", "client", resource="another") == ()
        await tx.codes.redeem(digest("code"), "client", now=now)
        assert await tx.grants.unredeemed("user-1", "client") == ()
        assert unredeemed.id in await in_use(tx)


async def test_of_grants_stored_at_once_none_is_one_too_many(
    race: Callable[..., Awaitable[list[Any]]],
    database: Database,
    new_grant: Callable[..., Grant],
    now: datetime,
) -> None:
    async def attempt(tx: Transaction) -> None:
        await tx.grants.hold("user-1", "client")
        for idle in (await tx.grants.in_use("user-1", "client", now=now))[2:]:
            await tx.grants.revoke(idle.id, RevocationReason.SUPERSEDED, now=now)
        await tx.grants.insert(new_grant())

    await race(attempt)
    async with database.transaction() as tx:
        assert len(await tx.grants.in_use("user-1", "client", now=now)) == 3
