"""Tool calls by grant, dead handles by address: what is refused, how, and who is not."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from rate_limit_clock import RateLimitClock
from structlog.testing import capture_logs
from valkey_servers import ValkeyProcess

if TYPE_CHECKING:
    from services.mcp.tests.conftest import Door, World

PROXIED = {"mcp_trusted_proxies": "127.0.0.1", "mcp_limit_failures": "3/minute"}
OURS, THEIRS = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def world(world: "World", rate_limit_clock: RateLimitClock) -> "World":
    """A world where calls are few, and where time stands still."""
    world.variables = {"mcp_limit_tool_calls": "2/minute"}
    rate_limit_clock.advance(1)
    return world


def dead_handle(world: "World", letter: str) -> str:
    handle = world.sign_in(letter)
    world.auth.answers[handle] = {"active": False}
    return handle


async def list_tools(door: "Door", handle: str, address: str, **headers: str) -> httpx.Response:
    return await door.post(
        "tools/list", handle=handle, headers={"X-Forwarded-For": address, **headers}
    )


async def fail(world: "World", door: "Door", address: str, letters: str) -> list[int]:
    """Present a dead handle for each letter; the statuses."""
    return [
        (await list_tools(door, dead_handle(world, letter), address)).status_code
        for letter in letters
    ]


@pytest.mark.standard("MCP 2026-07-28 tools: rate limits")
async def test_a_call_too_many_is_a_json_rpc_error_that_says_when_to_come_again(
    world: "World", era: str, rate_limit_clock: RateLimitClock
) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        for _ in range(2):
            response = await door.call("list_todos", handle=handle, version=era)
            assert response.status_code == 200
        response = await door.call("list_todos", handle=handle, version=era)
        assert response.status_code == 429
        wait = int(response.headers["retry-after"])
        assert response.json() == {
            "jsonrpc": "2.0",
            "id": 1,
            "error": {
                "code": 429,
                "message": "Too many tool calls in a short time."
                f" Wait {wait} seconds before the next one.",
                "data": {"retryAfterSeconds": wait},
            },
        }
        assert len(world.todo_api.calls) == 2, "the API heard of a call that was refused"
        assert world.count("rate_limited_total", budget="tool_calls") == 1

        rate_limit_clock.advance(wait)
        response = await door.call("list_todos", handle=handle, version=era)
        assert response.status_code == 200


async def test_what_is_no_call_of_a_tool_does_not_count(world: "World") -> None:
    handle = world.sign_in()
    async with world.running() as door:
        for _ in range(5):
            assert (await door.post("tools/list", handle=handle)).status_code == 200
        assert (await door.call("list_todos", handle=handle)).status_code == 200


async def test_the_calls_of_one_grant_are_not_those_of_another(world: "World") -> None:
    busy, quiet = world.sign_in("a"), world.sign_in("b", grant_id="grant-2")
    async with world.running() as door:
        statuses = [(await door.call("list_todos", handle=busy)).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert (await door.call("list_todos", handle=quiet)).status_code == 200


async def test_a_refreshed_handle_is_still_the_same_grants(world: "World") -> None:
    before, after = world.sign_in("a"), world.sign_in("b")
    async with world.running() as door:
        for _ in range(2):
            await door.call("list_todos", handle=before)
        assert (await door.call("list_todos", handle=after)).status_code == 429


async def test_a_hundred_people_behind_one_address_are_fine_with_the_defaults(
    world: "World",
) -> None:
    world.variables = {"mcp_trusted_proxies": "127.0.0.1"}
    people = [world.sign_in(letter, grant_id=letter) for letter in "abcdefghij"]
    async with world.running() as door:
        for _ in range(10):
            for handle in people:
                response = await door.call(
                    "list_todos", handle=handle, headers={"X-Forwarded-For": OURS}
                )
                assert response.status_code == 200


async def test_a_flood_of_dead_handles_stops_being_asked_about(
    world: "World", rate_limit_clock: RateLimitClock
) -> None:
    world.variables = PROXIED
    async with world.running() as door:
        assert await fail(world, door, OURS, "abc") == [401, 401, 401]
        asked = len(world.auth.asked)
        response = await list_tools(door, dead_handle(world, "d"), OURS)
        assert response.status_code == 429
        assert response.json()["error"] == "temporarily_unavailable"
        assert "www-authenticate" not in response.headers, "it says nothing about the handle"
        assert len(world.auth.asked) == asked
        assert world.count("rate_limited_total", budget="failures") == 1

        rate_limit_clock.advance(int(response.headers["retry-after"]))
        assert await fail(world, door, OURS, "e") == [401]


async def test_the_flood_of_one_address_is_not_anothers(world: "World") -> None:
    world.variables = PROXIED
    async with world.running() as door:
        assert await fail(world, door, THEIRS, "abcd") == [401, 401, 401, 429]
        assert await fail(world, door, OURS, "e") == [401]
        assert (await list_tools(door, world.sign_in("f"), OURS)).status_code == 200


async def test_one_64_of_ipv6_is_one_address_and_another_is_not(world: "World") -> None:
    world.variables = PROXIED
    async with world.running() as door:
        assert await fail(world, door, "2001:db8:0:1::1", "ab") == [401, 401]
        assert await fail(world, door, "2001:db8:0:1::2", "cd") == [401, 429]
        assert await fail(world, door, "2001:db8:0:2::1", "e") == [401]


async def test_a_handle_that_was_live_here_goes_on_beside_a_flood_from_its_own_address(
    world: "World",
) -> None:
    world.variables = PROXIED
    handle = world.sign_in("z")
    async with world.running() as door:
        assert (await list_tools(door, handle, OURS)).status_code == 200
        assert await fail(world, door, OURS, "abcd") == [401, 401, 401, 429]
        world.monotonic += 60  # what was remembered of the handle has to be asked for anew
        assert (await list_tools(door, handle, OURS)).status_code == 200


async def test_its_owner_is_told_that_a_handle_died_even_then(world: "World") -> None:
    world.variables = PROXIED
    handle = world.sign_in("z")
    async with world.running() as door:
        await list_tools(door, handle, OURS)
        assert await fail(world, door, OURS, "abcd") == [401, 401, 401, 429]
        world.monotonic += 60
        world.auth.answers[handle] = {"active": False}
        response = await list_tools(door, handle, OURS)
        assert response.status_code == 401
        assert "invalid_token" in response.headers["www-authenticate"]


async def test_a_malformed_handle_costs_nothing_and_is_not_counted(world: "World") -> None:
    world.variables = PROXIED
    async with world.running() as door:
        for _ in range(10):
            assert (await list_tools(door, "nonsense", OURS)).status_code == 401
        assert await fail(world, door, OURS, "a") == [401]


async def test_behind_a_proxy_that_nobody_named_nobody_is_limited_by_address(
    world: "World",
) -> None:
    world.variables = {
        "mcp_resource": "https://mcp.example.com/mcp",
        "introspection_client_secret": "Zq3vN8xKw1Lr5TyB",
        "mcp_request_state_keys": "kZ8vQ2mN5xW7rT1yB4cD6fG9hJ3pL0sA",
        "mcp_limit_failures": "1/minute",
    }
    with capture_logs() as logs:
        async with world.running() as door:
            for letter in "abc":
                response = await list_tools(
                    door, dead_handle(world, letter), OURS, Host="mcp.example.com"
                )
                assert response.status_code == 401
    [warning] = [entry for entry in logs if entry["event"] == "rate_limits.addresses_unknown"]
    assert "MCP_TRUSTED_PROXIES" in warning["hint"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("mcp_limit_tool_calls", "many"),
        ("mcp_limit_failures", "0/minute"),
        ("mcp_redis_url", "http://redis"),
        ("mcp_trusted_proxies", "0.0.0.0/0"),
    ],
)
def test_what_cannot_be_read_is_refused_at_the_start(
    world: "World", variable: str, value: str
) -> None:
    world.variables = {variable: value}
    with pytest.raises(ValueError, match=variable):
        world.settings()


@asynccontextmanager
async def replica(world: "World", **variables: Any) -> AsyncIterator[tuple["Door", Any]]:
    """One more replica of this world's service, with metrics of its own."""
    world.variables = variables
    world.registry = CollectorRegistry()
    registry = world.registry
    async with world.running() as door:
        yield door, registry


@pytest.mark.usefixtures("patient_rate_limits")
async def test_replicas_share_a_budget_through_redis_and_go_on_without_it(
    world: "World", new_valkey: Callable[[], ValkeyProcess]
) -> None:
    valkey = new_valkey()
    settings = {"mcp_limit_tool_calls": "3/minute", "mcp_redis_url": valkey.url}
    handle = world.sign_in()
    async with (
        replica(world, **settings) as (one, _),
        replica(world, **settings) as (other, metrics),
    ):
        doors = [one, other, one, other, one]
        statuses = [(await door.call("list_todos", handle=handle)).status_code for door in doors]
        assert statuses == [200, 200, 200, 429, 429]
        valkey.kill()
        for _ in range(5):
            assert (await other.call("list_todos", handle=handle)).status_code == 200
        assert metrics.get_sample_value("rate_limiter_unavailable_total") == 5
