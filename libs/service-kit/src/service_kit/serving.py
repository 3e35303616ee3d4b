"""Runs a service's public and internal applications in one process and one event loop."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp

from service_kit.health import Lifecycle
from service_kit.http_protocol import BoundedProtocol

# Longer than any pooled client keeps an idle connection (http_client.KEEPALIVE_SECONDS): a server
# that closes first makes the client's next request fail.
SERVER_KEEPALIVE_SECONDS = 75
DRAIN_SECONDS = 25
BACKLOG = 2048
# The kernel's part of what a client has not taken yet: how much it keeps of an answer, and for how
# long. What is kept in this process is bounded by http_protocol.
SEND_BUFFER_BYTES = 128 * 1024
UNACKNOWLEDGED_SECONDS = 30

_log = structlog.get_logger(__name__)


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
    """Serve until SIGTERM or SIGINT, then drain: readiness goes first, running requests finish.

    A second SIGINT ends the draining. Exits with EX_UNAVAILABLE, and a log line that names the
    address, when one of the listeners cannot have its port; then none has served anything.
    """
    if status := uvloop.run(_serve(service)):
        raise SystemExit(status)


async def _serve(service: Service) -> int:
    lifecycle = Lifecycle()
    async with service(lifecycle) as listeners:
        with ExitStack() as open_sockets:
            # Inside the service's context nothing is raised: a task group in there would wrap it.
            try:
                sockets = [_listen(listener, open_sockets) for listener in listeners]
            except _CannotListen as error:
                _log.error("serving.cannot_listen", reason=str(error))
                return os.EX_UNAVAILABLE
            await _run(listeners, sockets, lifecycle)
    return os.EX_OK


class _CannotListen(Exception):
    """A listener's address is taken, unknown or not ours. The text names it."""


def _listen(listener: Listener, open_sockets: ExitStack) -> list[socket.socket]:
    """Listen on every address of the listener's host; raise _CannotListen."""
    try:
        found = socket.getaddrinfo(
            listener.host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        addresses = {(family, address) for family, _, _, _, address in found}
        listening = [
            open_sockets.enter_context(
                socket.create_server(address, family=family, backlog=BACKLOG)
            )
            for family, address in addresses
        ]
        for server in listening:
            _bound_output(server)
        return listening
    except OSError as error:
        raise _CannotListen(
            f"cannot listen on {listener.host} port {listener.port}: {error}"
        ) from error


def _bound_output(server: socket.socket) -> None:
    """Set what each connection of this listener inherits."""
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux (RFC 5482); elsewhere an idle end comes later
        server.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_SECONDS * 1000
        )


async def _run(
    listeners: Sequence[Listener], sockets: Sequence[list[socket.socket]], lifecycle: Lifecycle
) -> None:
    servers = [_Server(_configure(listener)) for listener in listeners]

    def stop(number: signal.Signals) -> None:
        lifecycle.mark_draining()
        for server in servers:
            server.handle_exit(number, None)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    async with asyncio.TaskGroup() as group:
        for server, its_sockets in zip(servers, sockets, strict=True):
            group.create_task(server.serve(its_sockets))
        group.create_task(_mark_started_when_listening(servers, lifecycle))
    _log.info("serving.stopped")


def _configure(listener: Listener) -> uvicorn.Config:
    return uvicorn.Config(
        listener.app,
        host=listener.host,
        port=listener.port,
        interface="asgi3",
        http=BoundedProtocol,
        ws="none",
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
    addresses = [f"{server.config.host}:{server.config.port}" for server in servers]
    _log.info("serving.started", addresses=addresses)
