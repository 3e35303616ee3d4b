"""What a client does not read costs no memory and no time without end."""

import asyncio
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from raw_http import DEADLINE_SECONDS, Application, Connection, connected, head
from served_service import Process

from service_kit.http_protocol.output import PROGRESS_BYTES, PROGRESS_SECONDS, OutputWatch

MEMORY_BOUND_KIB = 32 * 1024
HOSTILE_CONNECTIONS = 12
IDLE_CONNECTIONS = 2500
REQUEST = head(target=b"/livez")
# More than two kernels keep of one connection, on their way and on ours.
KERNEL_BYTES = 64 * 1024 * 1024


@dataclass
class Output:
    """A loop and a transport whose time and unsent bytes the test decides."""

    unsent: int = 0
    is_aborted: bool = False
    looks: list[Callable[[], None]] = field(default_factory=list)

    def call_later(self, seconds: float, look: Callable[[], None]) -> "Output":
        assert seconds == PROGRESS_SECONDS
        self.looks.append(look)
        return self

    def cancel(self) -> None:
        self.looks.clear()

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.is_aborted = True

    def look_with(self, unsent: int) -> bool:
        """Let the time pass until the next look, at which so much is unsent; tell if it aborts."""
        self.unsent = unsent
        self.looks.pop()()
        return self.is_aborted


@pytest.fixture
def output() -> Output:
    return Output()


@pytest.fixture
def watch(output: Output) -> OutputWatch:
    watch = OutputWatch()
    watch.start(cast(asyncio.AbstractEventLoop, output), cast(asyncio.Transport, output))
    return watch


@pytest.mark.usefixtures("watch")
def test_a_client_that_takes_nothing_between_two_looks_is_aborted(output: Output) -> None:
    assert not output.look_with(100_000)
    assert output.look_with(100_000)
    assert output.looks == []


@pytest.mark.usefixtures("watch")
def test_a_client_that_takes_a_few_bytes_at_a_time_is_aborted(output: Output) -> None:
    assert not output.look_with(100_000)
    assert output.look_with(100_000 - PROGRESS_BYTES + 1)


@pytest.mark.usefixtures("watch")
def test_the_last_few_bytes_are_not_kept_for_ever_either(output: Output) -> None:
    assert not output.look_with(10)
    assert output.look_with(9)


@pytest.mark.usefixtures("watch")
def test_a_slow_client_that_takes_enough_is_served_to_the_end(output: Output) -> None:
    for unsent in [*range(500_000, 0, -PROGRESS_BYTES), 0]:
        assert not output.look_with(unsent)


def test_a_client_for_which_writing_was_resumed_has_taken_something(
    output: Output, watch: OutputWatch
) -> None:
    assert not output.look_with(20_000)
    for _ in range(10):
        watch.has_moved = True
        assert not output.look_with(100_000)


@pytest.mark.usefixtures("watch")
def test_a_connection_with_nothing_to_send_is_left_alone(output: Output) -> None:
    for _ in range(10):
        assert not output.look_with(0)


def test_nobody_looks_at_a_connection_that_is_lost(output: Output, watch: OutputWatch) -> None:
    watch.stop()
    assert output.looks == []


async def send_for_ever(client: Connection) -> None:
    while True:
        client.writer.write(head() * 1000)
        await client.writer.drain()


async def test_a_client_that_reads_nothing_of_its_answers_is_disconnected(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service_kit.http_protocol.output.PROGRESS_SECONDS", 0.05)
    async with asyncio.timeout(DEADLINE_SECONDS), connected(port) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionError):
            await send_for_ever(client)


async def test_requests_sent_ahead_are_answered_one_after_the_other(
    port: int, application: Application
) -> None:
    async with connected(port) as client:
        await client.send(b"".join(head(target=b"/%d" % number) for number in range(500)))
        answers = [await client.answer() for _ in range(500)]
    assert answers == [(200, b"0")] * 500
    assert application.asked == [f"/{number}" for number in range(500)]


async def test_what_is_sent_ahead_is_not_read_however_often_the_application_asks(
    port: int, application: Application
) -> None:
    """An application that asks whether its client is still there makes uvicorn read on."""
    requests, sent_bytes = head() * 25_000, 0
    async with connected(port) as client:
        await client.send(head(target=b"/polling"))
        with suppress(TimeoutError):
            while sent_bytes < KERNEL_BYTES:
                client.writer.write(requests)
                sent_bytes += len(requests)
                async with asyncio.timeout(1.0):  # it takes no more
                    await client.writer.drain()
    assert sent_bytes < KERNEL_BYTES
    assert application.asked == ["/polling"]


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many sockets as the test opens, in this process and in one that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE_CONNECTIONS + 500
    assert hard == resource.RLIM_INFINITY or hard >= wanted, "ulimit -Hn is too low for this test"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident_kib(process: Process) -> int:
    """The memory of a process, as Linux counts it."""
    status = Path(f"/proc/{process.popen.pid}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])


def connect(process: Process, open_sockets: ExitStack, *, receive_buffer: int = 0) -> socket.socket:
    client = open_sockets.enter_context(socket.socket())
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(DEADLINE_SECONDS)
    client.connect(("127.0.0.1", int(process.internal.rpartition(":")[2])))
    return client


def test_twelve_clients_that_send_requests_and_read_nothing_cost_little_memory(
    process: Process,
) -> None:
    before = resident_kib(process)
    with ExitStack() as open_sockets:
        clients = [
            connect(process, open_sockets, receive_buffer=4096) for _ in range(HOSTILE_CONNECTIONS)
        ]
        for client in clients:
            client.settimeout(1.0)
            with suppress(TimeoutError):  # the server reads no more of it
                for _ in range(100):
                    client.sendall(REQUEST * 1000)
        assert resident_kib(process) - before < MEMORY_BOUND_KIB


def test_idle_connections_cost_little_memory(many_files: None, process: Process) -> None:  # noqa: ARG001
    """The limit of open files comes first: the process inherits it."""
    before = resident_kib(process)
    with ExitStack() as open_sockets:
        clients = [connect(process, open_sockets) for _ in range(IDLE_CONNECTIONS)]
        for client in clients:
            client.sendall(REQUEST)
        assert all(client.recv(4096).startswith(b"HTTP/1.1 200") for client in clients)
        assert resident_kib(process) - before < MEMORY_BOUND_KIB
