"""Runs a service's public and internal applications in one process and one event loop."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import uvicorn
import uvloop
from starlette.types import ASGIApp

from service_kit.health import Lifecycle

# Longer than any pooled client keeps an idle connection (http_client.KEEPALIVE_SECONDS): a server
# that closes first makes the client's next request fail.
SERVER_KEEPALIVE_SECONDS = 75
DRAIN_SECONDS = 25


@dataclass(frozen=True, slots=True)
class Listener:
    """One application on one port."""

    app: ASGIApp
    host: str
    port: int


# Opens what the process shares (database, sessions), yields its listeners, closes on exit.
Service = Callable[[Lifecycle], AbstractAsyncContextManager[Sequence[Listener]]]


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to serve(), which has several servers to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(service: Service) -> None:
    """Serve until SIGTERM or SIGINT, then drain: readiness goes first, running requests finish."""
    uvloop.run(_serve(service))


async def _serve(service: Service) -> None:
    lifecycle = Lifecycle()
    async with service(lifecycle) as listeners:
        servers = [_Server(_configure(listener)) for listener in listeners]

        def stop() -> None:
            lifecycle.mark_draining()
            for server in servers:
                server.should_exit = True

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(server.serve())
            group.create_task(_mark_started_when_listening(servers, lifecycle))


def _configure(listener: Listener) -> uvicorn.Config:
    return uvicorn.Config(
        listener.app,
        host=listener.host,
        port=listener.port,
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=SERVER_KEEPALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


async def _mark_started_when_listening(
    servers: Sequence[uvicorn.Server], lifecycle: Lifecycle
) -> None:
    while not all(server.started for server in servers):
        if any(server.should_exit for server in servers):
            return
        await asyncio.sleep(0.01)
    lifecycle.mark_started()
