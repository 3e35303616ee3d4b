"""Codes: one redemption, by the right client, in time."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from auth_server.domain.grants import AuthorizationCode, Grant
from auth_server.domain.handles import Digest, digest
from auth_server.storage.database import Database

CODE = digest("code")
A_MOMENT = timedelta(microseconds=1)


@pytest.fixture
async def code(
    database: Database, grant: Grant, new_code: Callable[..., AuthorizationCode]
) -> AuthorizationCode:
    code = new_code(grant)
    async with database.transaction() as tx:
        await tx.codes.insert(CODE, code)
    return code


async def redeem(
    database: Database, now: datetime, code_digest: Digest = CODE, client_id: str = "client"
) -> AuthorizationCode | None:
    async with database.transaction() as tx:
        return await tx.codes.redeem(code_digest, client_id, now=now)


async def test_a_code_is_redeemed_once(
    database: Database, code: AuthorizationCode, now: datetime
) -> None:
    assert await redeem(database, now) == code
    assert await redeem(database, now) is None


async def test_of_twenty_redemptions_at_once_exactly_one_wins(
    race: Callable[..., Awaitable[list[Any]]], code: AuthorizationCode, now: datetime
) -> None:
    results = await race(lambda tx: tx.codes.redeem(CODE, "client", now=now))
    assert [result for result in results if result is not None] == [code]


async def test_a_code_of_another_client_is_not_spent(
    database: Database, code: AuthorizationCode, now: datetime
) -> None:
    assert await redeem(database, now, client_id="another") is None
    assert await redeem(database, now) == code


async def test_a_code_is_dead_from_its_expiry_on(
    database: Database, code: AuthorizationCode
) -> None:
    assert await redeem(database, code.expires_at) is None
    assert await redeem(database, code.expires_at - A_MOMENT) == code


async def test_an_unknown_code_gets_nothing(database: Database, now: datetime) -> None:
    assert await redeem(database, now, digest("unknown")) is None


async def test_a_replay_finds_the_grant_for_the_same_client_only(
    database: Database, code: AuthorizationCode, now: datetime
) -> None:
    async with database.transaction() as tx:
        assert await tx.codes.grant_of_redeemed(CODE, "client") is None
        await tx.codes.redeem(CODE, "client", now=now)
        assert await tx.codes.grant_of_redeemed(CODE, "client") == code.grant_id
        assert await tx.codes.grant_of_redeemed(CODE, "another") is None


async def test_a_rolled_back_redemption_leaves_the_code_unspent(
    database: Database, code: AuthorizationCode, now: datetime
) -> None:
    with pytest.raises(RuntimeError):
        await redeem_and_fail(database, now)
    assert await redeem(database, now) == code


async def redeem_and_fail(database: Database, now: datetime) -> None:
    async with database.transaction() as tx:
        await tx.codes.redeem(CODE, "client", now=now)
        raise RuntimeError


async def test_the_sweep_deletes_expired_codes_up_to_its_limit(
    database: Database,
    grant: Grant,
    new_code: Callable[..., AuthorizationCode],
    now: datetime,
) -> None:
    async with database.transaction() as tx:
        for number in range(5):
            await tx.codes.insert(digest(f"old {number}"), new_code(grant, expires_at=now))
        await tx.codes.insert(CODE, new_code(grant, expires_at=now + A_MOMENT))
        assert await tx.codes.delete_expired(before=now, limit=3) == 3
        assert await tx.codes.delete_expired(before=now, limit=3) == 2
        assert await tx.codes.delete_expired(before=now, limit=3) == 0
    assert await redeem(database, now) is not None
