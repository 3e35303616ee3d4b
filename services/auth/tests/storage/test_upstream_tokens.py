"""Token sets: encrypted, and refreshed by the one holder of the lease."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Executable, select, update

from auth_server.domain.authorizations import PendingAuthorization
from auth_server.domain.grants import Grant
from auth_server.domain.upstream_tokens import StoredUpstreamTokens, UpstreamTokens
from auth_server.storage.database import Database
from auth_server.storage.encryption import DecryptionFailed, Encryption, KeyRing
from auth_server.storage.tables import upstream_tokens

LEASE = timedelta(seconds=20)


async def test_a_token_set_begins_as_version_one(
    database: Database, grant: Grant, tokens: UpstreamTokens
) -> None:
    async with database.reading() as tx:
        assert await tx.upstream_tokens.find(grant.id) == StoredUpstreamTokens(tokens, 1)
        assert await tx.upstream_tokens.find("unknown") is None


async def test_a_token_set_may_lack_a_refresh_token(
    database: Database, grant: Grant, new_tokens: Callable[..., UpstreamTokens]
) -> None:
    tokens = new_tokens(refresh_token=None)
    async with database.transaction() as tx:
        await tx.upstream_tokens.insert(grant.id, tokens)
        assert await tx.upstream_tokens.find(grant.id) == StoredUpstreamTokens(tokens, 1)


@pytest.mark.usefixtures("tokens")
async def test_the_holder_stores_the_next_version_and_ends_the_lease(
    database: Database,
    grant: Grant,
    new_tokens: Callable[..., UpstreamTokens],
    acquire: Callable[..., Any],
) -> None:
    refreshed = new_tokens()
    assert await acquire("one")
    async with database.transaction() as tx:
        store = tx.upstream_tokens.store_refreshed
        assert not await store(grant.id, refreshed, version=1, owner="two")
        assert not await store(grant.id, refreshed, version=2, owner="one")
        assert await store(grant.id, refreshed, version=1, owner="one")
        assert not await store(grant.id, refreshed, version=2, owner="one")
        assert await tx.upstream_tokens.find(grant.id) == StoredUpstreamTokens(refreshed, 2)
    assert not await acquire("two", version=1)
    assert await acquire("two", version=2)


@pytest.mark.usefixtures("tokens")
async def test_who_lost_the_lease_stores_nothing(
    database: Database,
    grant: Grant,
    new_tokens: Callable[..., UpstreamTokens],
    acquire: Callable[..., Any],
    now: datetime,
) -> None:
    of_winner = new_tokens()
    assert await acquire("slow")
    assert await acquire("winner", at=now + LEASE)
    async with database.transaction() as tx:
        store = tx.upstream_tokens.store_refreshed
        assert not await store(grant.id, new_tokens(), version=1, owner="slow")
        assert await store(grant.id, of_winner, version=1, owner="winner")
        assert await tx.upstream_tokens.find(grant.id) == StoredUpstreamTokens(of_winner, 2)


async def test_a_token_set_is_taken_out_once(
    race: Callable[..., Awaitable[list[Any]]], grant: Grant, tokens: UpstreamTokens
) -> None:
    results = await race(lambda tx: tx.upstream_tokens.delete(grant.id))
    assert [result for result in results if result is not None] == [StoredUpstreamTokens(tokens, 1)]


async def test_a_deleted_token_set_is_not_brought_back_by_a_refresh(
    database: Database,
    grant: Grant,
    tokens: UpstreamTokens,
    acquire: Callable[..., Any],
) -> None:
    assert await acquire("one")
    async with database.transaction() as tx:
        await tx.upstream_tokens.delete(grant.id)
        assert not await tx.upstream_tokens.store_refreshed(
            grant.id, tokens, version=1, owner="one"
        )
        assert await tx.upstream_tokens.find(grant.id) is None


@pytest.mark.usefixtures("tokens")
async def test_tokens_copied_to_another_grant_do_not_open(
    database: Database,
    tamper: Callable[[Executable], Awaitable[None]],
    grant: Grant,
    new_grant: Callable[..., Grant],
    new_tokens: Callable[..., UpstreamTokens],
) -> None:
    mine = new_grant()
    async with database.transaction() as tx:
        await tx.grants.insert(mine)
        await tx.upstream_tokens.insert(mine.id, new_tokens())
    victim = upstream_tokens.alias()
    stolen = select(victim.c.tokens_encrypted).where(victim.c.grant_id == grant.id)
    await tamper(
        update(upstream_tokens)
        .where(upstream_tokens.c.grant_id == mine.id)
        .values(tokens_encrypted=stolen.scalar_subquery())
    )
    with pytest.raises(DecryptionFailed):
        async with database.reading() as tx:
            await tx.upstream_tokens.find(mine.id)


@pytest.fixture
async def rotated(database_url: str) -> AsyncIterator[Database]:
    """The same database after a key rotation: a new key in front, the test key still there."""
    ring = KeyRing([("new", b"n" * 32), ("test-key", bytes(range(32)))])
    database = Database(database_url, Encryption(ring))
    yield database
    await database.close()


async def test_a_key_rotation_logs_nobody_out(
    rotated: Database,
    grant: Grant,
    tokens: UpstreamTokens,
    new_tokens: Callable[..., UpstreamTokens],
    acquire: Callable[..., Any],
) -> None:
    async with rotated.reading() as tx:
        assert await tx.upstream_tokens.find(grant.id) == StoredUpstreamTokens(tokens, 1)
    assert await acquire("one")
    async with rotated.transaction() as tx:
        refreshed = new_tokens()
        await tx.upstream_tokens.store_refreshed(grant.id, refreshed, version=1, owner="one")
        assert await tx.upstream_tokens.find(grant.id) == StoredUpstreamTokens(refreshed, 2)


@pytest.mark.standard("RFC 6749 10.3")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_secret_is_in_the_files_of_the_database(
    database: Database,
    grant: Grant,
    tokens: UpstreamTokens,
    new_pending: Callable[..., PendingAuthorization],
    store_second_consent: Callable[..., Awaitable[PendingAuthorization]],
    tmp_path: Path,
) -> None:
    at_pingone = new_pending()
    async with database.transaction() as tx:
        await tx.authorizations.start(at_pingone)
        awaiting = await store_second_consent(tx)
    assert at_pingone.login is not None
    assert awaiting.account is not None
    written = contents(tmp_path)
    assert grant.id.encode() in written
    for secret in (
        tokens.access_token,
        tokens.refresh_token,
        at_pingone.login.code_verifier,
        at_pingone.login.nonce,
        awaiting.account.tokens.access_token,
        awaiting.account.tokens.refresh_token,
    ):
        assert secret is not None
        assert secret.encode() not in written


def contents(folder: Path) -> bytes:
    """The database file and its write-ahead log."""
    return b"".join(file.read_bytes() for file in folder.glob("auth.db*"))


async def test_no_repr_shows_a_token(
    database: Database, grant: Grant, tokens: UpstreamTokens
) -> None:
    async with database.reading() as tx:
        found = await tx.upstream_tokens.find(grant.id)
    assert tokens.access_token not in repr(found)
