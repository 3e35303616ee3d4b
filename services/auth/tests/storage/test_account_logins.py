"""Sign-ins to the account page: spent by one statement, readable after a change of keys."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from auth_server.domain.account import PendingAccountLogin
from auth_server.domain.authorizations import UpstreamLogin
from auth_server.domain.handles import Digest, digest
from auth_server.storage.database import Database
from auth_server.storage.encryption import Encryption, KeyRing
from auth_server.storage.rewrap import rewrap

STATE, BROWSER = digest("the state"), digest("this browser")
CLOCK = partial(datetime.now, UTC)
OLD, NEW = ("test-key", bytes(range(32))), ("new", bytes([7]) * 32)


@pytest.fixture
async def waiting(database: Database, now: datetime) -> PendingAccountLogin:
    """A sign-in at PingOne."""
    login = UpstreamLogin(STATE, code_verifier="the-code-verifier", nonce="the-nonce")
    pending = PendingAccountLogin("login-1", BROWSER, login, now + timedelta(minutes=10))
    async with database.transaction() as tx:
        await tx.account_logins.insert(pending)
    return pending


async def take(
    database: Database, now: datetime, *, state: Digest = STATE, browser: Digest = BROWSER
) -> PendingAccountLogin | None:
    # A browser has a cookie of each sign-in that it has begun.
    started = [digest("another sign-in"), browser]
    async with database.transaction() as tx:
        until = now + timedelta(minutes=1)
        return await tx.account_logins.take(state, started, now=now, known_until=until)


async def test_of_many_that_bring_the_state_at_once_one_gets_the_sign_in(
    database: Database, waiting: PendingAccountLogin, now: datetime
) -> None:
    taken = await asyncio.gather(*(take(database, now) for _ in range(10)))
    assert [one for one in taken if one is not None] == [waiting]


async def test_another_state_or_browser_or_a_late_answer_gets_and_spends_nothing(
    database: Database, waiting: PendingAccountLogin, now: datetime
) -> None:
    assert await take(database, now, state=BROWSER) is None
    assert await take(database, now, browser=STATE) is None
    assert await take(database, waiting.expires_at) is None
    assert await take(database, waiting.expires_at - timedelta(microseconds=1)) == waiting


async def test_what_waits_is_readable_with_the_new_key_alone_after_a_rewrap(
    database: Database, database_url: str, waiting: PendingAccountLogin, now: datetime
) -> None:
    both = Encryption(KeyRing([NEW, OLD]))
    done = await rewrap(database, both, batch=1, on_progress=lambda _count: None, now=CLOCK)
    assert done.under_first == 2
    alone = Database(database_url, Encryption(KeyRing([NEW])))
    assert await take(alone, now) == waiting
    await alone.close()
