"""What a live handle has on the way is bounded, and counts when it never arrives."""

import asyncio
import json
from collections.abc import AsyncIterator
from string import ascii_lowercase
from typing import TYPE_CHECKING

import httpx
import pytest
from rate_limit_clock import RateLimitClock
from starlette.types import Message

if TYPE_CHECKING:
    from services.mcp.tests.conftest import Door, World

LEGACY = "2025-11-25"
BODY_BYTES = 32 * 1024
PING = json.dumps({"jsonrpc": "2.0", "method": "ping", "id": 1}).encode()


@pytest.fixture
def world(world: "World", rate_limit_clock: RateLimitClock) -> "World":
    """A world with small bodies, where time stands still."""
    world.variables = {"mcp_max_body_bytes": BODY_BYTES, "mcp_limit_messages": "1000/minute"}
    rate_limit_clock.advance(1)
    return world


async def post(door: "Door", handle: str, content: bytes | AsyncIterator[bytes]) -> httpx.Response:
    headers = {
        "Authorization": f"Bearer {handle}",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": LEGACY,
    }
    return await door.http.post("/mcp", content=content, headers=headers)


class Held:
    """Bodies that have arrived but for their last byte."""

    def __init__(self) -> None:
        self.arrived = 0
        self.may_end = asyncio.Event()

    async def body(self) -> AsyncIterator[bytes]:
        yield PING.ljust(BODY_BYTES - 1)
        self.arrived += 1
        await self.may_end.wait()
        yield b" "

    async def until(self, arrived: int) -> None:
        async with asyncio.timeout(30):
            while self.arrived < arrived:  # noqa: ASYNC110  (in this loop, and no time passes)
                await asyncio.sleep(0)


async def test_a_handle_that_sends_many_large_bodies_at_once_does_not_take_the_memory(
    world: "World",
) -> None:
    mallory, alice = world.sign_in("a"), world.sign_in("b", grant_id="grant-b")
    async with world.running() as door:
        held = Held()
        under_way = [asyncio.ensure_future(post(door, mallory, held.body())) for _ in range(4)]
        await held.until(4)
        one_too_many = await post(door, mallory, PING.ljust(BODY_BYTES))
        assert one_too_many.status_code == 429
        assert one_too_many.headers["retry-after"] == "2"
        # A small one of another grant passes; and what is under way does, too.
        assert (await post(door, alice, PING)).status_code == 200
        held.may_end.set()
        assert [(await one).status_code for one in under_way] == [200] * 4
        assert (await post(door, mallory, PING.ljust(BODY_BYTES))).status_code == 200


async def test_many_handles_together_do_not_take_the_memory_either(world: "World") -> None:
    handles = [world.sign_in(letter, grant_id=letter) for letter in ascii_lowercase[:17]]
    async with world.running() as door:
        held = Held()
        under_way = [
            asyncio.ensure_future(post(door, handle, held.body()))
            for handle in handles[:16]
            for _ in range(4)
        ]
        await held.until(64)
        refused = await post(door, handles[16], PING.ljust(BODY_BYTES))
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "2"
        held.may_end.set()
        assert {(await one).status_code for one in under_way} == {200}
        assert (await post(door, handles[16], PING)).status_code == 200


async def test_a_body_that_is_broken_off_counts_by_what_has_arrived(world: "World") -> None:
    world.variables["mcp_limit_messages"] = "4/minute"
    handle = world.sign_in()

    headers = [
        (b"host", b"localhost:8081"),
        (b"content-type", b"application/json"),
        (b"authorization", f"Bearer {handle}".encode()),
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }

    async def send(_message: Message) -> None:
        raise AssertionError("nobody is there")

    async with world.running() as door:
        for _ in range(2):
            events: list[Message] = [
                {"type": "http.request", "body": b" " * (BODY_BYTES - 1), "more_body": True},
                {"type": "http.disconnect"},
            ]

            async def receive(events: list[Message] = events) -> Message:
                return events.pop(0)

            await door.app(scope, receive, send)
        assert (await post(door, handle, PING)).status_code == 429
