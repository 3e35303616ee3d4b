"""Registered clients: found while they live, renewed by use, and room made for new ones."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Executable, text

from auth_server.domain.clients import (
    Client,
    ClientMetadata,
    ClientOrigin,
    GrantType,
    TokenEndpointAuthMethod,
)
from auth_server.domain.grants import Grant
from auth_server.domain.handles import digest
from auth_server.storage.clients import NEVER, RENEWED_EVERY, ClientRecord
from auth_server.storage.database import Database

NewClient = Callable[..., Client]
REGISTERED, PUBLISHED = ClientOrigin.REGISTERED, ClientOrigin.METADATA_DOCUMENT
HOUR = timedelta(hours=1)
A_MOMENT = timedelta(microseconds=1)


async def insert(database: Database, client: Client, expires_at: datetime) -> Client:
    async with database.transaction() as tx:
        await tx.clients.insert(client, expires_at=expires_at)
    return client


async def is_there(database: Database, client: Client, now: datetime) -> bool:
    async with database.reading() as tx:
        return await tx.clients.find(client.client_id, now=now) is not None


async def test_a_client_comes_back_as_it_was_registered(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    client = new_client(
        metadata=ClientMetadata(
            redirect_uris=("cursor://z/callback", "https://a.example/b"),
            client_name="Ünïcode ✓",
            client_uri="https://a.example",
            token_endpoint_auth_method=TokenEndpointAuthMethod.CLIENT_SECRET_POST,
            grant_types=frozenset({GrantType.AUTHORIZATION_CODE}),
            application_type="web",
            scope="todo_api:write todo_api:read",
        ),
        secret_digest=digest("secret"),
    )
    await insert(database, client, now + HOUR)
    async with database.reading() as tx:
        assert await tx.clients.find(client.client_id, now=now) == client


async def test_a_public_client_has_no_secret(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    client = await insert(database, new_client(), now + HOUR)
    async with database.reading() as tx:
        assert await tx.clients.find(client.client_id, now=now) == client


async def test_a_client_is_unknown_from_its_expiry_on(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    client = await insert(database, new_client(), now + HOUR)
    assert await is_there(database, client, now + HOUR - A_MOMENT)
    assert not await is_there(database, client, now + HOUR)
    assert not await is_there(database, new_client(), now)


async def test_a_disabled_client_is_unknown_and_renewing_does_not_bring_it_back(
    database: Database,
    tamper: Callable[[Executable], Awaitable[None]],
    new_client: NewClient,
    now: datetime,
) -> None:
    client = await insert(database, new_client(), now + HOUR)
    await tamper(text("UPDATE clients SET disabled_at = issued_at"))
    async with database.transaction() as tx:
        await tx.clients.renew(client.client_id, now=now, expires_at=now + 2 * HOUR)
    assert not await is_there(database, client, now)


async def test_renewing_moves_the_expiry_forward_and_never_back(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    client = await insert(database, new_client(), now + HOUR)
    async with database.transaction() as tx:
        await tx.clients.renew(client.client_id, now=now, expires_at=now + 3 * HOUR)
        await tx.clients.renew(client.client_id, now=now, expires_at=now + 2 * HOUR)
        await tx.clients.renew("unknown", now=now, expires_at=now + 2 * HOUR)
    assert await is_there(database, client, now + 3 * HOUR - A_MOMENT)
    assert not await is_there(database, client, now + 3 * HOUR)
    later = now + RENEWED_EVERY
    async with database.transaction() as tx:
        await tx.clients.renew(client.client_id, now=later, expires_at=later + 3 * HOUR)
        await tx.clients.renew(client.client_id, now=later, expires_at=later + 4 * HOUR)
    assert await is_there(database, client, later + 3 * HOUR - A_MOMENT)
    assert not await is_there(database, client, later + 3 * HOUR)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_people_who_use_one_client_do_not_wait_for_each_other(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    client = await insert(database, new_client(), now + HOUR)
    until = now + HOUR
    async with database.transaction() as tx:
        await tx.clients.renew(client.client_id, now=now, expires_at=until)
    async with asyncio.timeout(5), database.transaction() as one, database.transaction() as other:
        await one.clients.renew(client.client_id, now=now, expires_at=until)
        await other.clients.renew(client.client_id, now=now, expires_at=until)


async def test_room_is_made_from_the_oldest_never_used_clients(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    ages = [
        await insert(database, new_client(issued_at=now - timedelta(days=days)), now + HOUR)
        for days in (5, 4, 3, 2, 1)
    ]
    oldest_but_used = ages[0]
    async with database.transaction() as tx:
        await tx.clients.renew(oldest_but_used.client_id, now=now, expires_at=now + HOUR)
        assert await tx.clients.make_room(REGISTERED, ceiling=10) == 0
        assert await tx.clients.make_room(REGISTERED, ceiling=5) == 0
        assert await tx.clients.make_room(REGISTERED, ceiling=3) == 2
        assert await tx.clients.make_room(REGISTERED, ceiling=3) == 0
    left = [client for client in ages if await is_there(database, client, now)]
    assert left == [oldest_but_used, ages[3], ages[4]]


async def test_used_clients_stay_even_above_the_ceiling(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    clients = [await insert(database, new_client(), now + HOUR) for _ in range(3)]
    async with database.transaction() as tx:
        for client in clients:
            await tx.clients.renew(client.client_id, now=now, expires_at=now + HOUR)
        assert await tx.clients.make_room(REGISTERED, ceiling=1) == 0
    assert all([await is_there(database, client, now) for client in clients])


async def test_room_is_made_from_clients_of_the_same_origin_only(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    origins = (PUBLISHED, REGISTERED, PUBLISHED, REGISTERED)
    clients = [await insert(database, new_client(origin=one), now + HOUR) for one in origins]
    async with database.transaction() as tx:
        assert await tx.clients.make_room(REGISTERED, ceiling=3) == 0
        assert await tx.clients.make_room(PUBLISHED, ceiling=1) == 2
    assert [await is_there(database, client, now) for client in clients] == [False, True] * 2


async def test_registrations_at_once_make_room_without_failing(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    for _ in range(20):
        await insert(database, new_client(), now + HOUR)

    async def register() -> int:
        async with database.transaction() as tx:
            deleted = await tx.clients.make_room(REGISTERED, ceiling=20)
            await tx.clients.insert(new_client(), expires_at=now + HOUR)
            return deleted

    # Each makes room for itself: rows that one deletes are not waited for by another.
    assert await asyncio.gather(*(register() for _ in range(10))) == [1] * 10


async def test_the_sweep_keeps_expired_clients_that_active_grants_name(
    database: Database, new_client: NewClient, new_grant: Callable[..., Grant], now: datetime
) -> None:
    kept, revoked, outlived, unused = [await insert(database, new_client(), now) for _ in range(4)]
    fresh = await insert(database, new_client(), now + A_MOMENT)
    async with database.transaction() as tx:
        await tx.grants.insert(new_grant(client_id=kept.client_id))
        await tx.grants.insert(new_grant(client_id=revoked.client_id, revoked_at=now))
        await tx.grants.insert(new_grant(client_id=outlived.client_id, expires_at=now))
        assert await tx.clients.delete_expired(now=now, limit=2) == 2
        assert await tx.clients.delete_expired(now=now, limit=2) == 1
        # Renewed, the kept one is back.
        for client in (kept, revoked, outlived, unused):
            await tx.clients.renew(client.client_id, now=now, expires_at=now + HOUR)
    everyone = (kept, revoked, outlived, unused, fresh)
    assert [await is_there(database, client, now) for client in everyone] == [
        True,
        False,
        False,
        False,
        True,
    ]


async def test_clients_that_differ_only_in_case_are_two(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    client = await insert(database, new_client(client_id="Abc"), now + HOUR)
    assert not await is_there(database, replace(client, client_id="aBC"), now)


async def test_what_an_operator_added_is_neither_swept_nor_pushed_out(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    added = await insert(database, new_client(origin=ClientOrigin.OPERATOR), now + HOUR)
    registered = await insert(database, new_client(issued_at=now + A_MOMENT), now + HOUR)
    async with database.transaction() as tx:
        assert await tx.clients.make_room(REGISTERED, ceiling=2) == 0
        assert await tx.clients.make_room(REGISTERED, ceiling=1) == 1
        assert await tx.clients.delete_expired(now=now + 2 * HOUR, limit=10) == 0
    assert await is_there(database, added, now)
    assert not await is_there(database, registered, now)


async def test_a_client_is_disabled_and_enabled_once_and_deleted_for_good(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    client = await insert(database, new_client(), now + HOUR)
    async with database.transaction() as tx:
        assert await tx.clients.disable(client.client_id, now=now)
        assert not await tx.clients.disable(client.client_id, now=now + HOUR)
        record = await tx.clients.record(client.client_id)
        assert record == ClientRecord(client, now + HOUR, last_used_at=None, disabled_at=now)
        assert await tx.clients.find(client.client_id, now=now) is None
        assert await tx.clients.enable(client.client_id)
        assert not await tx.clients.enable(client.client_id)
        assert await tx.clients.find(client.client_id, now=now) == client
        assert await tx.clients.delete(client.client_id)
        assert not await tx.clients.delete(client.client_id)
        assert not await tx.clients.disable(client.client_id, now=now)
        assert not await tx.clients.enable(client.client_id)
        await tx.clients.renew(client.client_id, now=now, expires_at=now + HOUR)
        assert await tx.clients.record(client.client_id) is None


async def test_what_an_operator_added_lives_as_long_as_a_date_can_say(
    database: Database, new_client: NewClient, now: datetime
) -> None:
    added = await insert(database, new_client(origin=ClientOrigin.OPERATOR), NEVER)
    async with database.transaction() as tx:
        await tx.clients.renew(added.client_id, now=now, expires_at=now + HOUR)
        [record] = await tx.clients.newest(limit=2)
    assert record == ClientRecord(added, NEVER, last_used_at=now, disabled_at=None)
