"""Handles: alive only with their grant and token set; a refresh handle is spent once."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from auth_server.domain.grants import Grant, RevocationReason
from auth_server.domain.handles import Handle, RefreshHandle, digest
from auth_server.domain.upstream_tokens import StoredUpstreamTokens, UpstreamTokens
from auth_server.storage.database import Database, Transaction
from auth_server.storage.handles import ActiveHandle

ACCESS, REFRESH = digest("access"), digest("refresh")
A_MOMENT = timedelta(microseconds=1)


@pytest.fixture
async def active(
    database: Database,
    grant: Grant,
    new_access: Callable[..., Handle],
    new_tokens: Callable[..., UpstreamTokens],
) -> ActiveHandle:
    handle, tokens = new_access(grant, scopes=frozenset({"todo_api:read"})), new_tokens()
    async with database.transaction() as tx:
        await tx.handles.insert_access(ACCESS, handle)
        await tx.upstream_tokens.insert(grant.id, tokens)
    return ActiveHandle(handle, grant, StoredUpstreamTokens(tokens, version=1))


@pytest.fixture
async def refresh(
    database: Database, grant: Grant, new_refresh: Callable[..., RefreshHandle]
) -> RefreshHandle:
    handle = new_refresh(grant)
    async with database.transaction() as tx:
        await tx.handles.insert_refresh(REFRESH, handle)
    return handle


async def find_active(database: Database, now: datetime) -> ActiveHandle | None:
    async with database.reading() as tx:
        return await tx.handles.find_active_access(ACCESS, now=now)


async def rotate(database: Database, now: datetime, client_id: str = "client") -> bool:
    async with database.transaction() as tx:
        return await tx.handles.rotate(REFRESH, client_id, sealed_answer=b"sealed", now=now)


async def find_refresh(database: Database) -> RefreshHandle:
    async with database.reading() as tx:
        found = await tx.handles.find_refresh(REFRESH)
    assert found is not None
    return found[0]


async def test_an_active_handle_comes_with_its_grant_and_token_set(
    database: Database, active: ActiveHandle, now: datetime
) -> None:
    assert await find_active(database, now) == active


async def test_an_unknown_handle_is_not_active(database: Database, now: datetime) -> None:
    assert await find_active(database, now) is None


async def test_a_handle_is_inactive_from_its_expiry_on(
    database: Database, active: ActiveHandle
) -> None:
    expiry = active.handle.expires_at
    assert await find_active(database, expiry - A_MOMENT) == active
    assert await find_active(database, expiry) is None


async def test_a_handle_is_inactive_once_its_grant_is_revoked(
    database: Database, active: ActiveHandle, now: datetime
) -> None:
    async with database.transaction() as tx:
        await tx.grants.revoke(active.grant.id, RevocationReason.CLIENT, now=now)
    assert await find_active(database, now) is None


async def test_a_handle_is_inactive_without_a_token_set(
    database: Database, active: ActiveHandle, now: datetime
) -> None:
    async with database.transaction() as tx:
        await tx.upstream_tokens.delete(active.grant.id)
    assert await find_active(database, now) is None


async def test_a_handle_is_inactive_from_its_grants_expiry_on(
    database: Database,
    new_grant: Callable[..., Grant],
    new_access: Callable[..., Handle],
    new_tokens: Callable[..., UpstreamTokens],
    now: datetime,
) -> None:
    grant = new_grant(expires_at=now + timedelta(minutes=1))
    async with database.transaction() as tx:
        await tx.grants.insert(grant)
        await tx.handles.insert_access(ACCESS, new_access(grant))
        await tx.upstream_tokens.insert(grant.id, new_tokens())
    assert await find_active(database, grant.expires_at - A_MOMENT) is not None
    assert await find_active(database, grant.expires_at) is None


async def test_a_refresh_handle_is_rotated_once(
    database: Database, refresh: RefreshHandle, now: datetime
) -> None:
    assert await rotate(database, now)
    assert not await rotate(database, now + A_MOMENT)
    rotated = replace(refresh, rotated_at=now, sealed_answer=b"sealed")
    assert await find_refresh(database) == rotated


async def test_of_twenty_rotations_at_once_exactly_one_wins(
    race: Callable[..., Awaitable[list[Any]]],
    refresh: RefreshHandle,
    now: datetime,
) -> None:
    numbers = count()

    async def attempt(tx: Transaction) -> tuple[bytes, bool, RefreshHandle | None]:
        answer = b"answer %d" % next(numbers)
        won = await tx.handles.rotate(REFRESH, "client", sealed_answer=answer, now=now)
        found = await tx.handles.find_refresh(REFRESH)
        return answer, won, found and found[0]

    results = await race(attempt)
    [winners_answer] = [answer for answer, won, _ in results if won]
    # The losers see it in the very transaction in which they lost.
    rotated = replace(refresh, rotated_at=now, sealed_answer=winners_answer)
    assert [seen for _, _, seen in results] == [rotated] * 20


async def test_a_refresh_handle_of_another_client_is_not_spent(
    database: Database, refresh: RefreshHandle, now: datetime
) -> None:
    assert not await rotate(database, now, client_id="another")
    assert await find_refresh(database) == refresh
    assert await rotate(database, now)


async def test_a_refresh_handle_is_dead_from_its_expiry_on(
    database: Database, refresh: RefreshHandle
) -> None:
    assert not await rotate(database, refresh.expires_at)
    assert await rotate(database, refresh.expires_at - A_MOMENT)


async def test_a_refresh_handle_of_a_revoked_grant_is_dead(
    database: Database, refresh: RefreshHandle, now: datetime
) -> None:
    async with database.transaction() as tx:
        await tx.grants.revoke(refresh.grant_id, RevocationReason.CLIENT, now=now)
    assert not await rotate(database, now)


async def test_a_refresh_handle_is_dead_from_its_grants_expiry_on(
    database: Database,
    new_grant: Callable[..., Grant],
    new_refresh: Callable[..., RefreshHandle],
    now: datetime,
) -> None:
    grant = new_grant(expires_at=now + timedelta(minutes=1))
    async with database.transaction() as tx:
        await tx.grants.insert(grant)
        await tx.handles.insert_refresh(REFRESH, new_refresh(grant))
    assert not await rotate(database, grant.expires_at)
    assert await rotate(database, grant.expires_at - A_MOMENT)


async def test_a_refresh_handle_is_found_with_its_grant_in_any_state(
    database: Database, grant: Grant, refresh: RefreshHandle, now: datetime
) -> None:
    async with database.transaction() as tx:
        assert await tx.handles.find_refresh(REFRESH) == (refresh, grant)
        assert await tx.handles.find_refresh(ACCESS) is None
        revoked = await tx.grants.revoke(grant.id, RevocationReason.CLIENT, now=now)
        assert await tx.handles.find_refresh(REFRESH) == (refresh, revoked)


async def test_the_grant_is_found_by_either_handle(
    database: Database, active: ActiveHandle, refresh: RefreshHandle
) -> None:
    assert refresh.grant_id == active.grant.id
    async with database.reading() as tx:
        assert await tx.handles.find_grant_of(ACCESS) == active.grant
        assert await tx.handles.find_grant_of(REFRESH) == active.grant
        assert await tx.handles.find_grant_of(digest("unknown")) is None


async def test_the_sweep_deletes_expired_handles_of_both_kinds_up_to_its_limit(
    database: Database,
    grant: Grant,
    new_access: Callable[..., Handle],
    new_refresh: Callable[..., RefreshHandle],
    now: datetime,
) -> None:
    async with database.transaction() as tx:
        for number in range(3):
            expired_access = new_access(grant, expires_at=now)
            await tx.handles.insert_access(digest(f"access {number}"), expired_access)
            expired_refresh = new_refresh(grant, expires_at=now)
            await tx.handles.insert_refresh(digest(f"refresh {number}"), expired_refresh)
        await tx.handles.insert_access(ACCESS, new_access(grant, expires_at=now + A_MOMENT))
        assert await tx.handles.delete_expired(now=now, limit=4) == 4
        assert await tx.handles.delete_expired(now=now, limit=4) == 2
        assert await tx.handles.delete_expired(now=now, limit=4) == 0
        assert await tx.handles.find_grant_of(ACCESS) == grant


async def test_the_sweep_keeps_a_rotated_refresh_handle_until_it_expires(
    database: Database, refresh: RefreshHandle, now: datetime
) -> None:
    async with database.transaction() as tx:
        await tx.handles.rotate(REFRESH, "client", sealed_answer=None, now=now)
        moment_before = refresh.expires_at - A_MOMENT
        assert await tx.handles.delete_expired(now=moment_before, limit=9) == 0
        assert await tx.handles.find_refresh(REFRESH) is not None
        assert await tx.handles.delete_expired(now=refresh.expires_at, limit=9) == 1


async def test_sealed_answers_are_erased_by_age_up_to_a_limit_and_the_handles_stay(
    database: Database, grant: Grant, new_refresh: Callable[..., RefreshHandle], now: datetime
) -> None:
    spent = [
        new_refresh(grant, rotated_at=rotated_at, sealed_answer=answer)
        for rotated_at, answer in (
            (now - A_MOMENT, b"sealed"),
            (now, b"sealed"),
            (now, None),
            (now + A_MOMENT, b"sealed"),
            (None, None),
        )
    ]
    async with database.transaction() as tx:
        for number, handle in enumerate(spent):
            await tx.handles.insert_refresh(digest(f"refresh {number}"), handle)
        assert await tx.handles.erase_sealed_answers(before=now, limit=1) == 1
        assert await tx.handles.erase_sealed_answers(before=now, limit=9) == 1
        assert await tx.handles.erase_sealed_answers(before=now, limit=9) == 0
        found = [await tx.handles.find_refresh(digest(f"refresh {n}")) for n in range(len(spent))]
    erased = [replace(handle, sealed_answer=None) for handle in spent[:3]]
    assert [each and each[0] for each in found] == erased + spent[3:]
