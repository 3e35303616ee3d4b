"""At the ceiling of unused clients, the network that most of them came from makes the room."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from auth_server.domain.clients import NOWHERE, Client, ClientOrigin, SeenFrom
from auth_server.storage.database import Database

NewClient = Callable[..., Client]
Arrive = Callable[[int, SeenFrom], Awaitable[Client]]
REGISTERED = ClientOrigin.REGISTERED
HOUR, A_SECOND = timedelta(hours=1), timedelta(seconds=1)
HOME = SeenFrom("2001:db8:1:1::/64", "2001:db8:1::/48")


def flooding(subnet: int) -> SeenFrom:
    """One of the many /64 of one /48."""
    return SeenFrom(f"2001:db8:aaaa:{subnet:x}::/64", "2001:db8:aaaa::/48")


@pytest.fixture
def arrive(database: Database, new_client: NewClient, now: datetime) -> Arrive:
    """Stores a client that arrived so many seconds after the first, from there."""

    async def arrive(second: int, seen_from: SeenFrom) -> Client:
        client = new_client(issued_at=now + second * A_SECOND)
        async with database.transaction() as tx:
            await tx.clients.insert(client, expires_at=now + HOUR, seen_from=seen_from)
        return client

    return arrive


async def left(database: Database, clients: list[Client], now: datetime) -> list[int]:
    """Which of them are there, by their index."""
    async with database.reading() as read:
        return [
            index
            for index, client in enumerate(clients)
            if await read.clients.find(client.client_id, now=now) is not None
        ]


async def make_room(database: Database, ceiling: int) -> int:
    async with database.transaction() as tx:
        return await tx.clients.make_room(REGISTERED, ceiling=ceiling)


async def test_a_flood_from_one_48_pushes_out_its_own_and_not_the_newcomer_before_it(
    database: Database, arrive: Arrive, now: datetime
) -> None:
    newcomer = await arrive(0, HOME)
    flood = [await arrive(1 + index, flooding(index)) for index in range(8)]
    assert await make_room(database, ceiling=5) == 5
    assert await left(database, [newcomer, *flood], now) == [0, 6, 7, 8]


async def test_networks_with_as_many_rows_give_in_turn(
    database: Database, arrive: Arrive, now: datetime
) -> None:
    clients = [await arrive(index, (HOME, flooding(0))[index % 2]) for index in range(6)]
    assert await make_room(database, ceiling=5) == 2
    assert await left(database, clients, now) == [2, 3, 4, 5]
    assert await make_room(database, ceiling=3) == 2
    assert await left(database, clients, now) == [4, 5]


async def test_within_a_48_the_64_with_most_rows_gives_first(
    database: Database, arrive: Arrive, now: datetime
) -> None:
    neighbour = await arrive(0, flooding(0))
    noisy = [await arrive(1 + index, flooding(1)) for index in range(4)]
    assert await make_room(database, ceiling=3) == 3
    assert await left(database, [neighbour, *noisy], now) == [0, 4]


async def test_rows_of_which_nobody_knows_where_they_came_from_are_one_network(
    database: Database, arrive: Arrive, now: datetime
) -> None:
    known = await arrive(0, HOME)
    unknown = [await arrive(1 + index, NOWHERE) for index in range(3)]
    assert await make_room(database, ceiling=3) == 2
    assert await left(database, [known, *unknown], now) == [0, 3]


async def test_a_used_row_neither_counts_for_its_network_nor_goes(
    database: Database, arrive: Arrive, now: datetime
) -> None:
    clients = [await arrive(index, flooding(index)) for index in range(3)]
    other = await arrive(3, HOME)
    async with database.transaction() as tx:
        for client in clients[:2]:
            await tx.clients.renew(client.client_id, now=now, expires_at=now + HOUR)
    assert await make_room(database, ceiling=2) == 1
    assert await left(database, [*clients, other], now) == [0, 1, 3]


async def test_at_a_large_ceiling_a_hundredth_of_it_goes_along(
    database: Database, arrive: Arrive, now: datetime
) -> None:
    clients = [await arrive(index, flooding(index)) for index in range(200)]
    assert await make_room(database, ceiling=201) == 0
    assert await make_room(database, ceiling=200) == 3
    assert await left(database, clients, now) == list(range(3, 200))


async def test_newcomers_that_race_take_no_row_twice(
    database: Database, arrive: Arrive, now: datetime
) -> None:
    clients = [await arrive(index, flooding(index)) for index in range(12)]
    newcomer = await arrive(0, HOME)

    async def register(index: int) -> int:
        async with database.transaction() as tx:
            deleted = await tx.clients.make_room(REGISTERED, ceiling=13)
            await tx.clients.insert(
                _another(clients[index]), expires_at=now + HOUR, seen_from=flooding(index)
            )
            return deleted

    assert sum(await asyncio.gather(*(register(index) for index in range(8)))) >= 8
    assert await left(database, [newcomer], now) == [0]


def _another(client: Client) -> Client:
    return Client(f"another {client.client_id}", client.metadata, client.origin, client.issued_at)
