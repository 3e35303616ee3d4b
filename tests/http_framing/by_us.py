"""What our server sees and answers: the protocol of every service, on a real socket."""

import asyncio
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import uvicorn
from http_framing.seen import Seen, origin_form
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from service_kit.http_protocol import BoundedProtocol

# Nothing is waited for by time: the server runs in this loop, and has done all it can when nothing
# has changed for some rounds of the loop. Between two of its steps there are fewer. After a part,
# it is enough that the part has been read.
_QUIET_ROUNDS = 12
_ROUNDS_BETWEEN = 2
_ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
_LENGTH = re.compile(rb"content-length: (\d+)\r\n")


@dataclass
class Observation:
    """`answers` are the final status codes, in order. `is_closed` is what the client learns."""

    seen: list[Seen]
    answers: list[int]
    is_closed: bool


@dataclass
class _Application:
    """Reads the whole body, and only then looks at the head; or answers without either."""

    is_hasty: bool = False
    seen: list[Seen] = field(default_factory=list)
    steps: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        request = Seen(scope["method"].encode(), origin_form(target))
        self.seen.append(request)
        while not (self.is_hasty or request.is_whole):
            message = await receive()
            self.steps += 1
            if message["type"] == "http.disconnect":
                break
            request.body += message["body"]
            request.is_whole = not message["more_body"]
        request.fields = list(scope["headers"])
        if self.is_hasty or request.is_whole:
            headers = [(b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body"})


class _Counting(BoundedProtocol):
    """Says how much has been read."""

    bytes_read = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.bytes_read += len(data)


async def seen_by_us(parts: Sequence[bytes], *, is_hasty: bool = False) -> Observation:
    """Write the parts to a connection of its own, each when the last one has been dealt with.

    A hasty application answers as soon as it is asked, and does not read any body.
    """
    application = _Application(is_hasty)
    config = uvicorn.Config(
        application, interface="asgi3", ws="none", lifespan="off", log_config=None
    )
    protocols: list[_Counting] = []

    def make() -> _Counting:
        protocols.append(_Counting(config, ServerState(), {}))
        return protocols[0]

    loop = asyncio.get_running_loop()
    server = await loop.create_server(make, "127.0.0.1", 0)
    async with server:
        with _client(server.sockets[0].getsockname()) as client:
            received = bytearray()
            ended = loop.create_task(_read(client, received))
            for part in parts:
                with suppress(ConnectionError):
                    await loop.sock_sendall(client, part)
                await _settled(_ROUNDS_BETWEEN, application, protocols, received, ended)
                if ended.done():
                    break
            await _settled(_QUIET_ROUNDS, application, protocols, received, ended)
            observation = Observation(application.seen, _answers(bytes(received)), ended.done())
            ended.cancel()
            await asyncio.wait([ended])
    return observation


@contextmanager
def _client(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setblocking(False)
        yield client


async def _read(client: socket.socket, received: bytearray) -> None:
    loop = asyncio.get_running_loop()
    with suppress(ConnectionResetError):
        while data := await loop.sock_recv(client, 65536):
            received += data


async def _settled(
    enough: int,
    application: _Application,
    protocols: list[_Counting],
    received: bytearray,
    ended: asyncio.Task[None],
) -> None:
    """Wait until nothing has changed for enough rounds of the loop."""
    rounds, last = 0, None
    while rounds < enough:
        await asyncio.sleep(0)
        read = protocols[0].bytes_read if protocols else 0
        now = (read, len(application.seen), application.steps, len(received), ended.done())
        rounds, last = (rounds + 1, last) if now == last else (0, now)


def _answers(received: bytes) -> list[int]:
    """The final answers; fails if these bytes are no sequence of whole answers.

    One without a length takes the rest: it must be the last before the connection ends.
    """
    statuses: list[int] = []
    position = 0
    while position < len(received):
        answer = _ANSWER.match(received, position)
        assert answer is not None, received[position:]
        position = answer.end()
        if (status := int(answer[1])) < 200:
            continue
        statuses.append(status)
        length = _LENGTH.search(answer[2])
        position = position + int(length[1]) if length else len(received)
    assert position == len(received), received
    return statuses
