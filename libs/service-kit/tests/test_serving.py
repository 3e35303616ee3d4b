"""A process serves two applications, drains when told to stop, and says why it cannot start."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from served_service import DEADLINE_SECONDS, Process, free_ports, status, wait_until
from structlog.testing import capture_logs

from service_kit.health import Lifecycle
from service_kit.http_client import KEEPALIVE_SECONDS
from service_kit.serving import SERVER_KEEPALIVE_SECONDS, Listener, serve


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_drains_a_running_request_then_closes_resources_and_exits_0(
    process: Process, number: signal.Signals
) -> None:
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(status, f"{process.public}/slow")
        assert process.line() == "slow began"
        process.popen.send_signal(number)
        wait_until(lambda: status(f"{process.public}/missing") is None)
        wait_until(lambda: status(f"{process.internal}/readyz") is None)
        assert process.popen.poll() is None, "it waits for the slow request"
        process.let_slow_requests_answer()
        assert slow.result() == 200
    exit_status, told, logged = process.end()
    assert exit_status == 0
    assert told == ["slow answered", "closed, ready: False"]
    assert {line["level"] for line in logged} == {"info"}
    assert [line["addresses"] for line in logged if line["event"] == "serving.started"] == [
        [process.public.removeprefix("http://"), process.internal.removeprefix("http://")]
    ]
    assert logged[-1]["event"] == "serving.stopped"


def test_a_stream_that_never_ends_of_itself_does_not_hold_up_the_draining(
    process: Process,
) -> None:
    with httpx.stream(
        "GET", f"{process.internal}/stream", timeout=DEADLINE_SECONDS, trust_env=False
    ) as response:
        beats = response.iter_text()
        assert next(beats) == "beat\n"
        process.popen.send_signal(signal.SIGTERM)
        assert list(beats) == ["last beat\n"]
    exit_status, told, _ = process.end()
    assert (exit_status, told) == (0, ["closed, ready: False"])


def test_a_second_interrupt_ends_the_draining(process: Process) -> None:
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(status, f"{process.public}/slow")
        assert process.line() == "slow began"
        process.popen.send_signal(signal.SIGINT)
        wait_until(lambda: status(f"{process.public}/missing") is None)
        process.popen.send_signal(signal.SIGINT)
        _, told, _ = process.end()
        assert slow.result() != 200
    assert told == ["closed, ready: False"]


@dataclass
class Recorded:
    """A service that notes what becomes of it."""

    listeners: Sequence[Listener]
    is_open: bool = False
    was_ready: bool = False

    @asynccontextmanager
    async def __call__(self, lifecycle: Lifecycle) -> AsyncIterator[Sequence[Listener]]:
        self.is_open = True
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                yield self.listeners
        finally:
            self.is_open = False
            self.was_ready = lifecycle.is_ready


def cannot_start(service: Recorded) -> dict[str, Any]:
    """Run a service that must not start; return the line that says why."""
    with capture_logs() as logs, pytest.raises(SystemExit) as ended:
        serve(service)
    assert ended.value.code == os.EX_UNAVAILABLE
    assert not service.is_open
    assert not service.was_ready
    [line] = logs
    assert (line["event"], line["log_level"]) == ("serving.cannot_listen", "error")
    return dict(line)


@pytest.mark.parametrize("position", [0, 1])
def test_a_busy_port_is_named_and_the_process_gives_up_and_frees_the_other_port(
    position: int,
) -> None:
    [free] = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = taken.getsockname()[1]
        ports = [free, free]
        ports[position] = busy
        service = Recorded([Listener(FastAPI(), "127.0.0.1", port) for port in ports])
        reason = cannot_start(service)["reason"]
    assert reason.startswith(f"cannot listen on 127.0.0.1 port {busy}: ")
    assert "Address already in use" in reason
    with socket.create_server(("127.0.0.1", free)):
        pass


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.7"])
def test_an_address_that_is_not_ours_is_named_and_the_process_gives_up(host: str) -> None:
    reason = cannot_start(Recorded([Listener(FastAPI(), host, 8080)]))["reason"]
    assert reason.startswith(f"cannot listen on {host} port 8080: ")


def test_what_opening_a_service_raises_reaches_the_caller_as_it_is() -> None:
    class Unopened(Recorded):
        @asynccontextmanager
        async def __call__(self, lifecycle: Lifecycle) -> AsyncIterator[Sequence[Listener]]:
            if not lifecycle.is_ready:
                raise LookupError("the database has no tables")
            yield self.listeners

    with pytest.raises(LookupError, match="the database has no tables"):
        serve(Unopened([]))


def test_a_server_keeps_idle_connections_longer_than_our_clients_do() -> None:
    assert SERVER_KEEPALIVE_SECONDS > KEEPALIVE_SECONDS
