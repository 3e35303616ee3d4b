"""Who has a whole network has few budgets of an address, and pushes out nobody else's client."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from auth_back_channel import refusal
from auth_harness import REDIRECT_URI, AuthUnderTest, auth_under_test
from auth_rate_limits import PROXY, seen_at, too_many
from published_documents import CLIENT_URL
from rate_limit_clock import RateLimitClock
from sqlalchemy import select

from auth_server.storage.tables import clients

Start = Callable[..., AbstractAsyncContextManager[AuthUnderTest]]

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ELSEWHERE = "2001:db8:1:1::1"


def flooding(subnet: int, host: int = 1) -> str:
    """An address in one of the 65,536 /64 of one /48."""
    return f"2001:db8:aaaa:{subnet:x}::{host:x}"


@pytest.fixture
def start(database_url: str, rate_limit_clock: RateLimitClock) -> Start:
    """Starts auth behind a proxy; time stands still for the limits."""
    rate_limit_clock.advance(1)

    def start(**settings: Any) -> AbstractAsyncContextManager[AuthUnderTest]:
        return auth_under_test(database_url, **({"auth_trusted_proxies": PROXY} | settings))

    return start


async def register_from(auth: AuthUnderTest, address: str | None) -> httpx.Response:
    """Register, a second after the last time."""
    auth.clock.advance(seconds=1)
    registration = {"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}
    headers = {} if address is None else seen_at(address)
    return await auth.anyone.post("/register", json=registration, headers=headers)


async def is_known(auth: AuthUnderTest, client_id: str) -> bool:
    response = await auth.exchange("unknown", client_id=client_id)
    return refusal(response, response.status_code) == "invalid_grant"


async def seen(auth: AuthUnderTest) -> list[tuple[str | None, str | None]]:
    """What is stored of where clients came from, in the order of their arrival."""
    query = select(clients.c.network, clients.c.wider_network).order_by(clients.c.issued_at)
    async with auth.resources.database.reading_connection() as connection:
        return [(network, wider) for network, wider in await connection.execute(query)]


async def test_registrations_from_one_48_push_out_no_newcomer_from_elsewhere(
    start: Start,
) -> None:
    async with start(auth_client_ceiling=10, auth_rate_limits=False) as auth:
        newcomer = (await register_from(auth, ELSEWHERE)).json()["client_id"]
        flood = []
        for subnet in range(25):
            response = await register_from(auth, flooding(subnet))
            # Nobody is refused for the sake of unused registrations.
            assert response.status_code == 201
            flood.append(response.json()["client_id"])
        assert await is_known(auth, newcomer)
        known = [await is_known(auth, client_id) for client_id in flood]
        assert known == [False] * 17 + [True] * 8
        auth.client_id = newcomer
        await auth.obtain_handles()


async def test_documents_that_one_48_has_fetched_push_out_no_other(start: Start) -> None:
    async with start(auth_client_ceiling=3, auth_rate_limits=False) as auth:
        addresses = [ELSEWHERE, *(flooding(subnet) for subnet in range(5))]
        urls = [CLIENT_URL.replace("://", f"://host-{n}.") for n in range(len(addresses))]
        for url, address in zip(urls, addresses, strict=True):
            auth.clock.advance(seconds=1)
            auth.published.publish_client(client_id=url)
            browser = auth.new_browser()
            browser.headers.update(seen_at(address))
            assert (await auth.authorize(browser, client_id=url)).status_code == 200
        async with auth.resources.database.reading() as read:
            assert sorted(await read.clients.records(urls)) == [urls[0], *urls[4:]]


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("2001:db8:aaaa:12:3456:789a:bcde:f012", ("2001:db8:aaaa:12::/64", "2001:db8:aaaa::/48")),
        ("198.51.100.7", ("198.51.100.7/32", "198.51.100.0/24")),
    ],
)
async def test_a_registration_stores_the_counted_networks_until_it_is_used(
    start: Start, address: str, stored: tuple[str, str]
) -> None:
    async with start() as auth:
        await register_from(auth, address)
        auth.client_id = (await register_from(auth, address)).json()["client_id"]
        assert await seen(auth) == [(None, None), stored, stored]
        await auth.obtain_handles()
        assert await seen(auth) == [(None, None), stored, (None, None)]


@ON_SQLITE
async def test_where_addresses_tell_nobody_apart_none_is_stored_and_the_oldest_goes(
    start: Start,
) -> None:
    async with start(auth_client_ceiling=2) as auth:
        # The proxy names nobody: all callers seem to be the proxy.
        registered = [(await register_from(auth, None)).json()["client_id"] for _ in range(3)]
        assert [await is_known(auth, one) for one in registered] == [False, True, True]
        assert await seen(auth) == [(None, None)] * 2


@ON_SQLITE
async def test_a_48_has_sixteen_budgets_a_56_four_and_a_64_one(start: Start) -> None:
    async with start(auth_limit_register="1/minute", auth_client_ceiling=100) as auth:
        for subnet in range(4):
            assert (await register_from(auth, flooding(subnet))).status_code == 201
            too_many(await register_from(auth, flooding(subnet, host=2)))
        too_many(await register_from(auth, flooding(4)))  # the fifth /64 of its /56
        for subnet in range(0x100, 0x400, 0x40):
            assert (await register_from(auth, flooding(subnet))).status_code == 201
        too_many(await register_from(auth, flooding(0x400)))  # the first of another /56
        assert (await register_from(auth, ELSEWHERE)).status_code == 201


@ON_SQLITE
async def test_a_24_has_sixteen_budgets_of_an_address(start: Start) -> None:
    async with start(auth_limit_register="1/minute", auth_client_ceiling=100) as auth:
        for host in range(16):
            assert (await register_from(auth, f"198.51.100.{host}")).status_code == 201
        too_many(await register_from(auth, "198.51.100.16"))
        assert (await register_from(auth, "198.51.101.16")).status_code == 201
