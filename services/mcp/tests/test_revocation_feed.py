"""The client of auth's feed, against a server that says what the test tells it to."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from mcp_server.handle_verifier import FeedPulse, RevocationFeed

READY = b"event: ready\ndata: {}\n\n"
WAIT_SECONDS = 10.0
EVERYTHING = "everything"


class FakeAuth:
    """Opens a stream for each connection, which the test writes to; or answers with a status."""

    def __init__(self) -> None:
        self.status = 200
        self.content_type = "text/event-stream"
        self.requests: list[web.Request] = []
        self._streams: asyncio.Queue[web.StreamResponse] = asyncio.Queue()
        self._end = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.status != 200:
            return web.Response(status=self.status, headers={"Location": "/elsewhere"})
        stream = web.StreamResponse(headers={"Content-Type": self.content_type})
        await stream.prepare(request)
        self._streams.put_nowait(stream)
        await self._end.wait()
        self._end.clear()
        return stream

    async def stream(self) -> web.StreamResponse:
        """The next connection's stream."""
        async with asyncio.timeout(WAIT_SECONDS):
            return await self._streams.get()

    def end_stream(self) -> None:
        self._end.set()


class Follower:
    """The feed under test: what it has its verifier forget, and how long it would wait."""

    def __init__(self, session: aiohttp.ClientSession, url: str, silence_seconds: float) -> None:
        self.monotonic = 100.0
        self.forgotten: asyncio.Queue[str] = asyncio.Queue()
        self.delays: asyncio.Queue[float] = asyncio.Queue()
        self.counted: list[str] = []
        self.defect: Exception | None = None
        self._may_go_on = asyncio.Semaphore(0)
        self.pulse = FeedPulse(lambda: self.monotonic)
        self.feed = RevocationFeed(
            session,
            auth_internal_url=url,
            client_id="mcp",
            client_secret="a secret",
            verifier=self,
            pulse=self.pulse,
            count=self.counted.append,
            monotonic=lambda: self.monotonic,
            jitter=lambda: 1.0,
            sleep=self._sleep,
            silence_seconds=silence_seconds,
        )

    def forget_grant(self, grant_id: str) -> None:
        self.forgotten.put_nowait(grant_id)

    def forget_everything(self) -> None:
        if self.defect is not None:
            raise self.defect
        self.forgotten.put_nowait(EVERYTHING)

    async def next_forgotten(self) -> str:
        async with asyncio.timeout(WAIT_SECONDS):
            return await self.forgotten.get()

    async def next_delay(self) -> float:
        """Wait until it has lost its connection; return the seconds until the next try."""
        async with asyncio.timeout(WAIT_SECONDS):
            return await self.delays.get()

    def go_on(self) -> None:
        """Let it try again."""
        self._may_go_on.release()

    async def _sleep(self, seconds: float) -> None:
        self.delays.put_nowait(seconds)
        await self._may_go_on.acquire()


@asynccontextmanager
async def following(auth: FakeAuth, silence_seconds: float = 60.0) -> AsyncIterator[Follower]:
    app = web.Application()
    app.router.add_get("/revocations", auth.answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        follower = Follower(session, str(server.make_url("")), silence_seconds)
        task = asyncio.create_task(follower.feed.follow())
        try:
            yield follower
        finally:
            task.cancel()
            await asyncio.wait([task])
            auth.end_stream()


@pytest.fixture
def auth() -> FakeAuth:
    return FakeAuth()


async def test_whenever_it_is_connected_everything_is_forgotten(auth: FakeAuth) -> None:
    async with following(auth) as follower:
        for connection in range(2):
            stream = await auth.stream()
            assert not follower.pulse.is_alive()
            await stream.write(READY)
            assert await follower.next_forgotten() == EVERYTHING
            await stream.write(b":\n\n")
            auth.end_stream()
            assert await follower.next_delay() == pytest.approx(0.05 * 2**connection)
            assert not follower.pulse.is_alive()
            follower.go_on()
    assert follower.counted == ["ready", "ready"]


async def test_it_proves_itself_as_this_resource_server(auth: FakeAuth) -> None:
    async with following(auth):
        await auth.stream()
    [request] = auth.requests
    proof = base64.b64encode(b"mcp:a+secret").decode()
    assert request.headers["Authorization"] == f"Basic {proof}"
    assert request.headers["Accept"] == "text/event-stream"


async def test_a_revoked_grant_is_forgotten_however_the_bytes_arrive(auth: FakeAuth) -> None:
    message = b'event: revoked\ndata: {"grant_id": "grant-1"}\n\n'
    async with following(auth) as follower:
        stream = await auth.stream()
        await stream.write(READY)
        assert await follower.next_forgotten() == EVERYTHING
        await stream.write(message)
        assert await follower.next_forgotten() == "grant-1"
        for byte in message:
            await stream.write(bytes([byte]))
        assert await follower.next_forgotten() == "grant-1"
        await stream.write(message.replace(b"\n", b"\r\n").replace(b"-1", b"-2") + message)
        assert await follower.next_forgotten() == "grant-2"
        assert await follower.next_forgotten() == "grant-1"
        assert follower.pulse.is_alive()


async def test_what_a_later_auth_may_add_is_passed_over(auth: FakeAuth) -> None:
    news = b'id: 7\nretry: 5\n: words\nevent: news\ndata: {"grant_id": "grant-1"}\n\n'
    message = b'event: revoked\ndata: {"grant_id": "grant-2", "why": "theft"}\n\n'
    async with following(auth) as follower:
        stream = await auth.stream()
        await stream.write(READY + news + message)
        assert await follower.next_forgotten() == EVERYTHING
        assert await follower.next_forgotten() == "grant-2"


@pytest.mark.parametrize(
    "malformed",
    [
        b"event: revoked\ndata: grant-1\n\n",
        b'event: revoked\ndata: "grant-1"\n\n',
        b"event: revoked\ndata: {}\n\n",
        b'event: revoked\ndata: {"grant_id": 1}\n\n',
        b'event: revoked\ndata: {"grant_id": ""}\n\n',
        b'event: revoked\ndata: {"grant_id": "' + b"g" * 257 + b'"}\n\n',
        b"event: revoked\ndata: " + b"[" * 4000 + b"\n\n",
        b"event: revoked\n" + b"data: 0123456789\n" * 800,
        b"event: \xff\n",
        b":" + b"a" * 5000,
        b":" + b"a" * 5000 + b"\n",
    ],
    ids=lambda malformed: repr(malformed[:40]),
)
async def test_what_cannot_be_understood_may_have_been_any_revocation(
    auth: FakeAuth, malformed: bytes
) -> None:
    async with following(auth) as follower:
        stream = await auth.stream()
        await stream.write(READY)
        assert await follower.next_forgotten() == EVERYTHING
        await stream.write(malformed)
        assert await follower.next_forgotten() == EVERYTHING
        await follower.next_delay()
        assert not follower.pulse.is_alive()
    assert follower.counted == ["ready", "malformed"]


async def test_a_silent_connection_is_dropped_and_made_anew(auth: FakeAuth) -> None:
    async with following(auth, silence_seconds=0.02) as follower:
        stream = await auth.stream()
        await stream.write(READY)
        assert await follower.next_forgotten() == EVERYTHING
        with capture_logs() as logs:
            await follower.next_delay()
        assert [line["reason"] for line in logs] == ["the feed is silent"]
        assert not follower.pulse.is_alive()
        follower.go_on()
        await auth.stream()


async def test_heartbeats_before_ready_prove_nothing(auth: FakeAuth) -> None:
    async with following(auth) as follower:
        stream = await auth.stream()
        await stream.write(b":\n\n")
        await stream.write(b'event: revoked\ndata: {"grant_id": "grant-1"}\n\n')
        assert await follower.next_forgotten() == "grant-1"
        assert not follower.pulse.is_alive()


async def test_it_waits_longer_from_try_to_try_until_a_stream_has_lasted(auth: FakeAuth) -> None:
    auth.status = 503
    delays = []
    async with following(auth) as follower:
        for _ in range(7):
            delays.append(await follower.next_delay())
            follower.go_on()
        delays.append(await follower.next_delay())
        assert delays == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])
        auth.status = 200
        follower.go_on()
        await auth.stream()
        follower.monotonic += 60
        auth.end_stream()
        assert await follower.next_delay() == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "INTROSPECTION_CLIENT_SECRET"), (404, "AUTH_INTERNAL_URL"), (302, None)],
)
async def test_a_refusal_is_logged_once_with_what_to_change(
    auth: FakeAuth, status: int, hint: str | None
) -> None:
    auth.status = status
    with capture_logs() as logs:
        async with following(auth) as follower:
            for _ in range(3):
                await follower.next_delay()
                follower.go_on()
            await follower.next_delay()
    lost: list[Any] = [line for line in logs if line["event"] == "revocation_feed.lost"]
    assert [line["reason"] for line in lost] == [f"auth answered {status}"]
    assert "hint" not in lost[0] if hint is None else hint in lost[0]["hint"]
    assert {request.path for request in auth.requests} == {"/revocations"}


async def test_another_content_type_is_no_feed(auth: FakeAuth) -> None:
    auth.content_type = "text/plain"
    async with following(auth) as follower:
        stream = await auth.stream()
        await stream.write(READY)
        await follower.next_delay()
        assert follower.forgotten.empty()


async def test_nobody_at_the_address_is_an_outage_like_any_other() -> None:
    async with aiohttp.ClientSession() as session:
        follower = Follower(session, "http://127.0.0.1:1", 60.0)
        task = asyncio.create_task(follower.feed.follow())
        assert await follower.next_delay() == pytest.approx(0.05)
        task.cancel()
        await asyncio.wait([task])


async def test_a_failure_that_nobody_foresaw_is_told_loudly_and_ends_nothing(
    auth: FakeAuth,
) -> None:
    async with following(auth) as follower:
        follower.defect = RuntimeError("the handler is closed")  # as uvloop says it at times
        stream = await auth.stream()
        with capture_logs() as logs:
            await stream.write(READY)
            assert await follower.next_delay() == pytest.approx(0.05)
        assert not follower.pulse.is_alive()
        [line] = logs
        assert (line["event"], line["log_level"]) == ("revocation_feed.failed", "error")
        follower.defect = None
        follower.go_on()
        stream = await auth.stream()
        await stream.write(READY)
        assert await follower.next_forgotten() == EVERYTHING
