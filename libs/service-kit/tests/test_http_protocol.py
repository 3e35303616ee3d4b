"""The head of a request on a real socket: bounded in size and time, before any application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from service_kit.http_protocol import MAX_HEAD_BYTES, BoundedProtocol

DEADLINE_SECONDS = 10.0
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large"


@dataclass
class Application:
    """Answers with the size of the body, and notes what it was asked."""

    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        headers = [(b"content-length", b"%d" % len(str(size)))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": str(size).encode()})


@dataclass
class Connection:
    """A client that writes bytes and reads what comes back."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, *parts: bytes) -> bytes:
        """Send a request in parts; return the first line of the answer."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0)  # the server is in this loop, and reads it now
        async with asyncio.timeout(DEADLINE_SECONDS):
            return (await self.reader.readline()).strip()

    async def rest(self) -> bytes:
        """Everything until the server closes; a reset is an end, too."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
async def port(application: Application) -> AsyncIterator[int]:
    """Where the application is served."""
    config = uvicorn.Config(application, lifespan="off", log_config=None)
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedProtocol(config, ServerState(), {}), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


def head(*fields: bytes, method: bytes = b"GET", target: bytes = b"/") -> bytes:
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: here", *fields]
    return b"\r\n".join([*lines, b"", b""])


async def test_a_large_head_that_is_within_the_bound_is_answered(port: int) -> None:
    async with connected(port) as connection:
        for _ in range(2):
            request = head(b"X-Filler: " + b"x" * (MAX_HEAD_BYTES - 100))
            assert await connection.ask(request) == b"HTTP/1.1 200 OK"
            await connection.reader.readuntil(b"\r\n\r\n0")


async def test_a_large_head_may_come_in_many_parts(port: int) -> None:
    request = head(*[b"X-Filler-%d: " % number + b"x" * 980 for number in range(60)])
    parts = [request[start : start + 500] for start in range(0, len(request), 500)]
    async with connected(port) as connection:
        assert await connection.ask(*parts) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "request_head",
    [
        head(b"X-Filler: " + b"x" * MAX_HEAD_BYTES),
        head(*[b"X-Filler-%d: x" % number for number in range(6000)]),
        head(target=b"/" + b"x" * MAX_HEAD_BYTES),
        head(target=b"/?" + b"x" * MAX_HEAD_BYTES),
    ],
    ids=["one header", "many headers", "path", "query"],
)
async def test_a_head_beyond_the_bound_is_431_and_reaches_no_application(
    port: int, application: Application, request_head: bytes
) -> None:
    async with connected(port) as connection:
        assert await connection.ask(request_head) == TOO_LARGE
        assert b"connection: close" in await connection.rest()
    assert application.asked == []


async def test_a_head_that_never_ends_is_cut_off_while_it_is_sent(
    port: int, application: Application
) -> None:
    async with connected(port) as connection:
        connection.writer.write(head()[:-2] + b"X-Endless: ")
        with suppress(ConnectionError):
            for _ in range(100):
                connection.writer.write(b"x" * MAX_HEAD_BYTES)
                await connection.writer.drain()
        await connection.rest()
    assert application.asked == []


async def test_every_head_on_a_connection_is_bounded(port: int, application: Application) -> None:
    async with connected(port) as connection:
        assert await connection.ask(head(target=b"/first")) == b"HTTP/1.1 200 OK"
        await connection.reader.readuntil(b"\r\n\r\n0")
        too_large = head(b"X-Filler: " + b"x" * MAX_HEAD_BYTES, target=b"/second")
        assert await connection.ask(too_large) == TOO_LARGE
    assert application.asked == ["/first"]


async def test_a_body_is_no_head_and_a_head_may_follow_it_at_once(port: int) -> None:
    size = 4 * MAX_HEAD_BYTES
    upload = head(b"Content-Length: %d" % size, method=b"POST")
    async with connected(port) as connection:
        # The second request begins with the last bytes of the first one.
        following = head(target=b"/second")
        first = await connection.ask(upload, b"b" * size + following[:20], following[20:])
        assert first == b"HTTP/1.1 200 OK"
        await connection.reader.readuntil(b"\r\n\r\n%d" % size)
        assert await connection.ask() == b"HTTP/1.1 200 OK"


async def test_a_request_line_that_is_none_is_400(port: int, application: Application) -> None:
    for line in (b"GET http://[::1/ HTTP/1.1\r\nHost: here\r\n\r\n", b"nonsense\r\n\r\n"):
        async with connected(port) as connection:
            assert await connection.ask(line) == b"HTTP/1.1 400 Bad Request"
            await connection.rest()
    assert application.asked == []


@pytest.mark.parametrize(
    "endless", [b"0\r\nX-Trailer: ", b"1;extension="], ids=["trailer", "chunk"]
)
async def test_what_never_ends_behind_a_body_is_cut_off_too(port: int, endless: bytes) -> None:
    upload = head(b"Transfer-Encoding: chunked", method=b"POST")
    async with connected(port) as connection:
        connection.writer.write(upload + b"1\r\nb\r\n" + endless)
        with suppress(ConnectionError):
            for _ in range(100):
                connection.writer.write(b"x" * MAX_HEAD_BYTES)
                await connection.writer.drain()
        await connection.rest()


async def test_many_fields_of_a_trailer_are_bounded(port: int) -> None:
    upload = head(b"Transfer-Encoding: chunked", method=b"POST")
    fields = b"".join(b"X-Filler-%d: x\r\n" % number for number in range(6000))
    async with connected(port) as connection:
        assert await connection.ask(upload, b"1\r\nb\r\n0\r\n" + fields) == TOO_LARGE


async def test_a_head_that_takes_too_long_is_408(
    port: int, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service_kit.http_protocol.HEAD_SECONDS", 0.05)
    async with connected(port) as connection:
        assert await connection.ask(head()[:-2]) == b"HTTP/1.1 408 Request Timeout"
        await connection.rest()
    assert application.asked == []


async def test_a_connection_on_which_nothing_is_asked_is_closed_without_a_word(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service_kit.http_protocol.HEAD_SECONDS", 0.05)
    async with connected(port) as connection:
        assert await connection.rest() == b""


async def test_an_empty_line_between_requests_keeps_no_connection_for_ever(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(port) as connection:
        await connection.ask(head())
        await connection.reader.readuntil(b"\r\n\r\n0")
        monkeypatch.setattr("service_kit.http_protocol.HEAD_SECONDS", 0.05)
        assert await connection.ask(b"\r\n") == b""


async def test_who_asked_in_time_has_no_deadline_while_they_wait_for_the_answer(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service_kit.http_protocol.HEAD_SECONDS", 0.05)
    async with connected(port) as connection:
        connection.writer.write(head(b"Content-Length: 2", method=b"POST") + b"b")
        await asyncio.sleep(0.2)  # four times the deadline of a head
        assert await connection.ask(b"b") == b"HTTP/1.1 200 OK"
