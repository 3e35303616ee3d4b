"""Every message of a grant counts by its size; without a live handle it costs next to nothing."""

import asyncio
import json
from collections.abc import Callable
from string import ascii_letters
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis.asyncio
from fetch_headers import script
from prometheus_client import CollectorRegistry
from rate_limit_clock import RateLimitClock
from starlette.types import Message
from valkey_servers import ValkeyProcess

if TYPE_CHECKING:
    from services.mcp.tests.conftest import Door, World

LEGACY = "2025-11-25"
OURS = "198.51.100.7"
SEEN = {"X-Forwarded-For": OURS}
PAGE = {"Origin": "http://localhost:6274", **script("same-site")}
# As small as there may be with this bound on bodies, which count for one or two.
SMALL = {"mcp_max_body_bytes": 32 * 1024, "mcp_limit_messages": "2/minute"}


@pytest.fixture
def world(world: "World", rate_limit_clock: RateLimitClock) -> "World":
    """A world behind a proxy, where time stands still."""
    world.variables = {"mcp_trusted_proxies": "127.0.0.1"}
    rate_limit_clock.advance(1)
    return world


async def raw(
    door: "Door", handle: str, body: bytes, content_type: str = "application/json", **headers: str
) -> httpx.Response:
    """Post a body as it is."""
    sent = {"Authorization": f"Bearer {handle}", "Content-Type": content_type, **headers}
    return await door.http.post("/mcp", content=body, headers=sent)


def message(method: str, size: int = 0, **members: Any) -> bytes:
    """A JSON-RPC message with a body of so many bytes, or of as many as it needs."""
    text = json.dumps({"jsonrpc": "2.0", "method": method, "params": {}, **members})
    return text.encode().ljust(size)


@pytest.mark.parametrize(
    ("body", "options", "status"),
    [
        (message("tools/list", id=1), {}, 200),
        (message("ping", id="p"), {}, 200),
        (message("resources/list", id=1), {}, 200),
        (message("notifications/initialized"), {}, 202),
        (message("tools/call", id=1, params={"name": "no_such_tool"}), {}, 200),
        (message("tools/call", id=1, params={"name": "create_todo"}), {}, 403),
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"", {}, 400),
        (b"a=b", {"content_type": "application/x-www-form-urlencoded"}, 415),
        (message("ping", id=1), {"Accept": "text/html"}, 406),
        (message("ping", id=1), {"MCP-Protocol-Version": "1999-01-01"}, 400),
        (message("ping", 33 * 1024, id=1), {}, 413),
    ],
    ids=str,
)
async def test_whatever_comes_with_a_live_handle_counts_as_a_message_of_its_grant(
    world: "World",
    rate_limit_clock: RateLimitClock,
    body: bytes,
    options: dict[str, str],
    status: int,
) -> None:
    world.variables |= SMALL
    handle = world.sign_in(scope="todo_api:read")
    sent = {"Accept": "application/json", "MCP-Protocol-Version": LEGACY} | options
    async with world.running() as door:
        for _ in range(2):
            assert (await raw(door, handle, body, **sent)).status_code == status
        response = await raw(door, handle, body, **sent)
        assert response.status_code == 429
        wait = int(response.headers["retry-after"])
        assert response.json()["error"] == {
            "code": 429,
            "message": f"Too many messages in a short time. Wait {wait} seconds before the next"
            " one.",
            "data": {"retryAfterSeconds": wait},
        }
        assert world.count("rate_limited_total", budget="messages") == 1
        rate_limit_clock.advance(wait)
        world.monotonic += wait
        assert (await raw(door, handle, body, **sent)).status_code == status


async def test_a_large_message_counts_for_every_16_kib_that_it_has_begun(world: "World") -> None:
    world.variables |= {"mcp_limit_messages": "64/minute"}
    handle = world.sign_in()
    sent = {"MCP-Protocol-Version": LEGACY}
    async with world.running() as door:
        large = message("tools/list", 900_000, id=1)  # 55
        assert (await raw(door, handle, large, **sent)).status_code == 200
        assert (await raw(door, handle, large, **sent)).status_code == 429
        # What is smaller still fits: eight of one, though not one of ten.
        small = message("tools/list", 16 * 1024, id=1)
        for _ in range(7):
            assert (await raw(door, handle, small, **sent)).status_code == 200
        two = message("tools/list", 16 * 1024 + 1, id=1)
        assert (await raw(door, handle, two, **sent)).status_code == 200
        assert (await raw(door, handle, small, **sent)).status_code == 429


async def test_seven_hundred_large_lists_in_a_row_are_a_few_and_then_refusals(
    world: "World",
) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        body = message("tools/list", 900_000, id=1)
        statuses = [
            (await raw(door, handle, body, **{"MCP-Protocol-Version": LEGACY})).status_code
            for _ in range(60)
        ]
        assert statuses == [200] * 21 + [429] * 39


async def test_what_a_spent_grant_sends_is_refused_before_its_body_is_read(
    world: "World",
) -> None:
    world.variables |= SMALL
    handle = world.sign_in()
    async with world.running() as door:
        for expected in (200, 200, 429):
            assert (await door.post("tools/list", handle=handle)).status_code == expected
        assert await status_without_body(door, handle) == 429
        # And nobody else's is.
        other = world.sign_in("b", grant_id="grant-2")
        assert (await door.post("tools/list", handle=other)).status_code == 200


async def test_what_comes_without_a_live_handle_is_refused_before_its_body_is_read(
    world: "World",
) -> None:
    async with world.running() as door:
        for handle in (None, "nonsense", made_up(world, "x")):
            assert await status_without_body(door, handle) == 401


async def status_without_body(door: "Door", handle: str | None) -> int:
    """The status of the answer to a request whose body must not be asked for."""
    sent: list[Message] = []
    headers = [(b"host", b"localhost:8081"), (b"content-type", b"application/json")]
    if handle is not None:
        headers.append((b"authorization", f"Bearer {handle}".encode()))

    async def receive() -> Message:
        raise AssertionError("the body was asked for")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }
    await door.app(scope, receive, send)
    return int(sent[0]["status"])


async def test_a_refused_tool_call_is_a_message_still(world: "World") -> None:
    world.variables |= SMALL | {
        "mcp_limit_messages": "4/minute",
        "mcp_limit_tool_calls": "1/minute",
    }
    handle = world.sign_in()
    async with world.running() as door:
        for said in ("todos", "tool calls", "tool calls", "tool calls", "messages"):
            response = await door.call("list_todos", handle=handle)
            assert said in response.text
        assert len(world.todo_api.calls) == 1


async def test_a_client_that_connects_and_calls_as_often_as_it_may_stays_within_its_messages(
    world: "World", mode: str
) -> None:
    # A tenth of what there is by default.
    world.variables |= {"mcp_limit_tool_calls": "60/minute", "mcp_limit_messages": "120/minute"}
    handle = world.sign_in()
    async with world.running() as door:
        for _ in range(6):
            async with door.client(handle, mode) as client:
                await client.list_tools()
                for _ in range(10):
                    assert not (await client.call_tool("list_todos", {})).is_error
        assert world.count("rate_limited_total", budget="messages") == 0


def test_a_budget_that_the_longest_message_never_fits_is_refused_at_the_start(
    world: "World",
) -> None:
    world.variables |= {"mcp_limit_messages": "63/minute"}
    with pytest.raises(ValueError, match="MCP_LIMIT_MESSAGES must allow 64 or more"):
        world.settings()
    world.variables |= {"mcp_limit_messages": "64/second;1200/minute"}
    world.settings()
    world.variables |= {"mcp_limit_messages": ""}
    world.settings()


async def list_tools(door: "Door", handle: str, **headers: str) -> httpx.Response:
    return await door.post("tools/list", handle=handle, headers={**SEEN, **headers})


def made_up(world: "World", letter: str) -> str:
    """A handle that is well formed, and that auth does not know."""
    handle = world.sign_in(letter)
    del world.auth.answers[handle]
    return handle


async def test_of_a_crowd_of_made_up_handles_auth_is_asked_about_as_many_as_may_fail(
    world: "World",
) -> None:
    world.variables |= {"mcp_limit_failures": "10/minute"}
    async with world.running() as door:
        handles = [made_up(world, letter) for letter in ascii_letters]
        answers = await asyncio.gather(*(list_tools(door, handle) for handle in handles))
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(401), statuses.count(429)) == (10, 42)
        assert len(world.auth.asked) == 10


async def test_a_crowd_of_new_live_handles_waits_for_a_second_at_the_most(world: "World") -> None:
    world.variables |= {"mcp_limit_failures": "10/minute"}
    handles = [world.sign_in(letter, grant_id=letter) for letter in ascii_letters]
    async with world.running() as door:
        answers = await asyncio.gather(*(list_tools(door, handle) for handle in handles))
        waiting = [answer for answer in answers if answer.status_code == 429]
        assert {answer.headers["retry-after"] for answer in waiting} <= {"1"}
        assert [answer.status_code for answer in answers].count(200) >= 10
        for handle in handles:
            assert (await list_tools(door, handle)).status_code == 200


async def test_dead_handles_that_a_page_presents_are_counted_apart_from_everybody_elses(
    world: "World",
) -> None:
    world.variables |= {"mcp_limit_cross_origin": "2/minute", "mcp_limit_failures": "1/minute"}
    async with world.running() as door:
        dead = [made_up(world, letter) for letter in "abcde"]
        statuses = [(await list_tools(door, one, **PAGE)).status_code for one in dead[:3]]
        assert statuses == [401, 401, 429]
        assert world.count("rate_limited_total", budget="cross_origin") == 1
        # A new handle of somebody else there is asked about, and so is one that is dead.
        assert (await list_tools(door, world.sign_in("n"))).status_code == 200
        assert (await list_tools(door, dead[3])).status_code == 401
        assert (await list_tools(door, dead[4])).status_code == 429


@pytest.mark.usefixtures("patient_rate_limits")
async def test_a_message_is_one_round_trip_to_redis_and_one_without_a_live_handle_is_none(
    world: "World", new_valkey: Callable[[], ValkeyProcess]
) -> None:
    valkey = new_valkey()
    world.variables |= {
        "mcp_redis_url": valkey.url,
        "mcp_limit_tool_calls": "100/second;3/hour",
        "mcp_limit_messages": "200/second;300/minute;400/hour",
        "mcp_limit_failures": "2/minute",
    }
    handle = world.sign_in()
    client = redis.asyncio.Redis.from_url(valkey.url, decode_responses=True)

    async def round_trips() -> int:
        statistics = await client.info("commandstats")
        assert "cmdstat_get" in statistics, "the script has run"
        return int(statistics["cmdstat_evalsha"]["calls"])

    async with world.running() as door:
        await door.call("list_todos", handle=handle)  # Redis has the script from here on
        before = await round_trips()
        for expected in (200, 200, 429, 429):
            answer = await door.call("list_todos", handle=handle, headers=SEEN)
            assert answer.status_code == expected
            assert await round_trips() - before == 1
            before = await round_trips()
        new = world.sign_in("n", grant_id="grant-2")
        for answer in (await list_tools(door, new), await raw(door, new, b"{")):
            assert answer.status_code in {200, 400}
        assert await round_trips() - before == 2
        before = await round_trips()
        for letter, expected in (("x", 401), ("y", 401), ("z", 429)):
            assert (await list_tools(door, made_up(world, letter))).status_code == expected
        assert (await list_tools(door, "nonsense")).status_code == 401
        assert (await door.post("ping", handle=None)).status_code == 401
        assert await round_trips() == before
    await client.aclose()


@pytest.mark.usefixtures("patient_rate_limits")
async def test_replicas_share_the_messages_of_a_grant(
    world: "World", new_valkey: Callable[[], ValkeyProcess]
) -> None:
    world.variables |= SMALL | {"mcp_redis_url": new_valkey().url}
    handle = world.sign_in()
    async with world.running() as one:
        assert (await one.post("tools/list", handle=handle)).status_code == 200
    world.registry = CollectorRegistry()
    async with world.running() as other:
        assert (await other.post("tools/list", handle=handle)).status_code == 200
        assert (await other.post("tools/list", handle=handle)).status_code == 429
