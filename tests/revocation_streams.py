"""An application on a real socket, and a reader of its stream of revocations.

httpx's ASGI transport collects a whole response before it hands it over: streams need a socket.
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import uvicorn
from auth_harness import INTERNAL, INTROSPECTION_CLIENT, AuthUnderTest
from starlette.types import ASGIApp

WAIT_SECONDS = 15.0
HEARTBEAT = "heartbeat"
READY = "ready"
END = "end"


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application on a socket, as its clients of production need; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        deadline = time.monotonic() + WAIT_SECONDS
        while not server.started:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


class StreamReader:
    """What has come in on one stream, in order: READY, HEARTBEAT, grant ids, END."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._items: asyncio.Queue[str] = asyncio.Queue()

    async def next(self) -> str:
        """The next item, whatever it is."""
        async with asyncio.timeout(WAIT_SECONDS):
            return await self._items.get()

    async def next_event(self) -> str:
        """The next item that is no heartbeat."""
        while (item := await self.next()) == HEARTBEAT:
            pass
        return item

    async def is_silent(self, seconds: float) -> bool:
        """True if nothing comes for so long, after what has come already."""
        while not self._items.empty():
            self._items.get_nowait()
        try:
            async with asyncio.timeout(seconds):
                await self._items.get()
        except TimeoutError:
            return True
        return False

    async def read(self) -> None:
        """Read the response to its end."""
        name = ""
        try:
            async for line in self.response.aiter_lines():
                if line.startswith(":"):
                    self._items.put_nowait(HEARTBEAT)
                elif line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    data = json.loads(line.removeprefix("data: "))
                    self._items.put_nowait(data["grant_id"] if name == "revoked" else name)
        except httpx.TransportError:
            pass
        self._items.put_nowait(END)


@asynccontextmanager
async def reading(url: str, credential: tuple[str, str] | None) -> AsyncIterator[StreamReader]:
    """Read the stream of the application at this URL as a resource server; see `response`."""
    async with (
        httpx.AsyncClient(auth=credential, timeout=WAIT_SECONDS, trust_env=False) as client,
        client.stream("GET", f"{url}/revocations") as response,
    ):
        reader = StreamReader(response)
        task = asyncio.create_task(reader.read())
        try:
            yield reader
        finally:
            task.cancel()
            await asyncio.wait([task])


@asynccontextmanager
async def stream_of(auth: AuthUnderTest) -> AsyncIterator[StreamReader]:
    """A stream as the MCP server has it, of which nothing is missed from here on."""
    async with served(auth.apps[INTERNAL]) as url, reading(url, INTROSPECTION_CLIENT) as reader:
        assert await reader.next() == READY
        yield reader


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what happens in the background."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        await asyncio.sleep(0.005)
