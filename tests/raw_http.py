"""An HTTP/1.1 client that writes bytes, and an application that notes what it was asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from service_kit.http_protocol import BoundedProtocol

DEADLINE_SECONDS = 30.0


@dataclass
class Asked:
    """One request as an application saw it."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""


@dataclass
class Application:
    """Reads the body, answers with its size, and notes what it was asked.

    /answered-early is answered before its body is read; /polling is not answered, and asks over
    and over whether its client is still there.
    """

    requests: list[Asked] = field(default_factory=list)

    @property
    def asked(self) -> list[str]:
        """The targets, in their order."""
        return [request.target for request in self.requests]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        asked = Asked(scope["method"], target.decode("ascii"), scope["headers"])
        self.requests.append(asked)
        more = scope["path"] != "/answered-early"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            asked.body += message.get("body", b"")
            more = message.get("more_body", False)
        while scope["path"] == "/polling":
            with suppress(TimeoutError):
                async with asyncio.timeout(0.001):
                    assert (await receive())["type"] == "http.disconnect"
                    return
        answer = str(len(asked.body)).encode()
        headers = [(b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


@dataclass
class Connection:
    """A client that writes bytes and reads what comes back."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        """Send parts that the server reads one by one."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0)  # the server is in this loop, and reads it now

    async def ask(self, *parts: bytes) -> bytes:
        """Send a request in parts; return the first line of the answer."""
        await self.send(*parts)
        async with asyncio.timeout(DEADLINE_SECONDS):
            return (await self.reader.readline()).strip()

    async def answer(self) -> tuple[int, bytes]:
        """Read one whole answer: its status and its body."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            sizes = [line for line in lines if line.startswith(b"content-length:")]
            body = await self.reader.readexactly(int(sizes[0].partition(b":")[2]))
        return int(lines[0].split()[1]), body

    async def rest(self) -> bytes:
        """Everything until the server closes; a reset is an end, too."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


@asynccontextmanager
async def serving(application: Application) -> AsyncIterator[int]:
    """Serve the application in this event loop; yield its port."""
    config = uvicorn.Config(application, lifespan="off", log_config=None)
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedProtocol(config, ServerState(), {}), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    """Connect; leave without a farewell."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


def head(*fields: bytes, method: bytes = b"GET", target: bytes = b"/") -> bytes:
    """The head of a request to the host `here`."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: here", *fields]
    return b"\r\n".join([*lines, b"", b""])
