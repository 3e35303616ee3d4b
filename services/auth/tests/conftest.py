"""What every test of the auth service shares: a migrated database, on both kinds of server."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
import structlog
from auth_harness import AuthUnderTest, auth_under_test
from database_servers import PostgresqlServer
from hypothesis import settings

from auth_server.storage.database import Database
from auth_server.storage.encryption import Encryption, KeyRing
from auth_server.storage.schema import upgrade

# The same examples in every run, however slow the machine is.
settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Tracebacks as plain text: structlog's coloured default takes a second to draw each."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )


@pytest.fixture(autouse=True)
def patient_feed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that pauses must not look like a lost source of revocations.

    Except to the tests of how soon a lost one is noticed, which are marked `impatient_feed`.
    """
    if request.node.get_closest_marker("impatient_feed") is None:
        for constant in (
            "feed.CONNECT_SECONDS",
            "postgresql.CONNECT_TIMEOUT_SECONDS",
            "postgresql.PROBE_TIMEOUT_SECONDS",
            "redis.CONNECT_TIMEOUT_SECONDS",
            "redis.ANSWER_TIMEOUT_SECONDS",
        ):
            monkeypatch.setattr(f"auth_server.storage.revocation_feed.{constant}", 10.0)


@pytest.fixture
def encryption() -> Encryption:
    """Encrypts with a fixed key."""
    return Encryption(KeyRing([("test-key", bytes(range(32)))]))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy."""
    file = tmp_path_factory.mktemp("template") / "auth.db"
    upgrade(f"sqlite+aiosqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """The name of a migrated, empty PostgreSQL database to copy."""
    name = f"auth_template_{uuid4().hex}"
    postgresql_server.execute(f'CREATE DATABASE "{name}"')
    upgrade(postgresql_server.url_of(name))
    yield name
    postgresql_server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated, empty database of this test's own: the test runs on both kinds."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        return f"sqlite+aiosqlite:///{shutil.copy(template, tmp_path / 'auth.db')}"
    new_database: Callable[..., str] = request.getfixturevalue("new_postgresql_database")
    return new_database(template=request.getfixturevalue("postgresql_template"))


@pytest.fixture
async def database(database_url: str, encryption: Encryption) -> AsyncIterator[Database]:
    """The migrated, empty database, open."""
    database = Database(database_url, encryption)
    yield database
    await database.close()


@pytest.fixture
async def auth(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The authorization server with its defaults, and one registered public client."""
    async with auth_under_test(database_url) as auth:
        yield auth


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AuthUnderTest]:
    """One server on SQLite for a module's tables of refusals, none of which leaves a trace.

    For tests marked with pytest.mark.asyncio(loop_scope="module").
    """
    file = shutil.copy(sqlite_template, tmp_path_factory.mktemp("shared") / "auth.db")
    async with auth_under_test(f"sqlite+aiosqlite:///{file}") as auth:
        yield auth
