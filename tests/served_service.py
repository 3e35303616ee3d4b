"""libs/service-kit/tests/served_process.py as a process of its own, and what tests ask it."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

DEADLINE_SECONDS = 30.0
_SCRIPT = Path(__file__).parents[1] / "libs/service-kit/tests/served_process.py"


@dataclass
class Process:
    """A running served_process.py."""

    popen: subprocess.Popen[str]
    public: str
    internal: str

    def line(self) -> str:
        """Return the next line it tells; empty at its end."""
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().rstrip("\n")

    def let_slow_requests_answer(self) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write("now\n")
        self.popen.stdin.flush()

    def end(self) -> tuple[int, list[str], list[dict[str, Any]]]:
        """Await its end; return its status, what else it told, and what it logged."""
        told, logged = self.popen.communicate(timeout=DEADLINE_SECONDS)
        return (
            self.popen.returncode,
            told.splitlines(),
            [json.loads(line) for line in logged.splitlines()],
        )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)


def status(url: str) -> int | None:
    """Return what a server answers, None if nobody listens."""
    try:
        return httpx.get(url, timeout=DEADLINE_SECONDS, trust_env=False).status_code
    except httpx.TransportError:
        return None


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [held_socket.getsockname()[1] for held_socket in sockets]


@contextmanager
def served_process() -> Iterator[Process]:
    """A process that has begun to serve; ended, if a test has failed to end it."""
    public, internal = free_ports(2)
    with subprocess.Popen(  # noqa: S603  (our own script)
        [sys.executable, str(_SCRIPT), str(public), str(internal)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as popen:
        running = Process(popen, f"http://127.0.0.1:{public}", f"http://127.0.0.1:{internal}")
        try:
            assert running.line() == "opened, ready: False"
            wait_until(lambda: status(f"{running.internal}/readyz") == 200)
            yield running
        finally:
            if popen.poll() is None:
                popen.kill()
