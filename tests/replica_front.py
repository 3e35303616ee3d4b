"""One address in front of several replicas, as a Service of Kubernetes is: TCP, in turn."""

import asyncio
import contextlib
import itertools
import re
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import uvloop

_CHUNK = 64 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class LostAnswer:
    """What a replica answered and nobody received."""

    replica: int
    body: bytes = field(repr=False)


class Front:
    """Listens on a thread of its own; a connection goes to the next replica that takes it.

    `routes` are the ports of the replicas by the port that clients use.
    """

    def __init__(self, routes: Mapping[int, Iterable[int]]) -> None:
        self._routes = {port: _Route(tuple(replicas)) for port, replicas in routes.items()}
        self._listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="front")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def lose_answer(self, port: int) -> LostAnswer:
        """Take the next answer away from whoever waits for it at this port.

        Returns once the replica, told by its own port, has given it; the connection stays open.
        """
        lost: Future[LostAnswer] = Future()
        self._routes[port].loses = lost
        return await asyncio.wrap_future(lost)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            for port, route in self._routes.items():
                await stack.enter_async_context(
                    await asyncio.start_server(route.take, "127.0.0.1", port, backlog=1024)
                )
                stack.push_async_callback(route.close)
            self._listening.set()
            await self._stop.wait()


class _Route:
    def __init__(self, replicas: tuple[int, ...]) -> None:
        self._number = len(replicas)
        self._turns = itertools.cycle(replicas)
        self._taken: set[asyncio.Task[None]] = set()
        self.loses: Future[LostAnswer] | None = None

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._taken.add(task)
        try:
            replica = await self._connect()
            if replica is not None:
                await self._carry(reader, writer, *replica)
        except asyncio.CancelledError:
            pass  # the front closes; asyncio's own callback would report the cancellation
        finally:
            await _abort(writer)
            self._taken.discard(task)

    async def close(self) -> None:
        """End all connections."""
        for task in self._taken:
            task.cancel()
        await asyncio.gather(*self._taken, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in range(self._number):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", next(self._turns))
        return None

    async def _carry(
        self,
        client_reader: asyncio.StreamReader,
        client_writer: asyncio.StreamWriter,
        replica_reader: asyncio.StreamReader,
        replica_writer: asyncio.StreamWriter,
    ) -> None:
        port: int = replica_writer.get_extra_info("peername")[1]
        directions = {
            asyncio.ensure_future(_copy(client_reader, replica_writer)),
            asyncio.ensure_future(self._answer(replica_reader, client_writer, port)),
        }
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            with contextlib.suppress(OSError):
                await asyncio.wait_for(client_writer.drain(), 1)
                client_writer.close()
            await _abort(replica_writer)

    async def _answer(
        self, replica: asyncio.StreamReader, client: asyncio.StreamWriter, port: int
    ) -> None:
        """Pass on what the replica says, unless its answer is to be lost."""
        with contextlib.suppress(OSError):
            while chunk := await replica.read(_CHUNK):
                lost, self.loses = self.loses, None
                if lost is not None:
                    body = await _rest_of_body(replica, chunk)
                    lost.set_result(LostAnswer(port, body))
                    continue
                client.write(chunk)
                await client.drain()


async def _rest_of_body(replica: asyncio.StreamReader, answer: bytes) -> bytes:
    """The whole body of the answer that begins like this and says how long it is."""
    while b"\r\n\r\n" not in answer:
        answer += await replica.read(_CHUNK)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n")
    assert length is not None
    return body + await replica.readexactly(int(length[1]) - len(body))


async def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
