"""How a command runs: settings, log, database; and how a failure becomes one line and exit 1."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

import typer

from auth_server.settings import DataSettings, StoreSettings
from auth_server.storage.database import Database, StorageUnavailable
from auth_server.storage.encryption import Encryption
from auth_server.storage.ring_check import KeysRefused, check_ring
from auth_server.storage.schema import SchemaOutdated, check_schema
from service_kit.logging import configure_logging
from service_kit.settings import read_settings_or_exit

SettingsT = TypeVar("SettingsT", bound=StoreSettings)
ResultT = TypeVar("ResultT")

# A command works on one thing at a time.
_POOL_SIZE: Final = 2


class CommandFailed(Exception):
    """A command cannot do what it was asked for. The text is one line for the operator."""


@dataclass(frozen=True, slots=True)
class Store:
    """What a command works with when it needs the database and nothing of PingOne's."""

    settings: DataSettings
    encryption: Encryption
    database: Database
    now: Callable[[], datetime]


def run_on_store(work: Callable[[Store], Awaitable[ResultT]], *, encrypts: bool = False) -> ResultT:
    """Run work(store) and return its result; a failure is one line on stderr and exit 1.

    `encrypts` is for a command that writes or takes out encrypted values. It is refused, like a
    start of the service, if the key ring is not the one that the database was encrypted with.
    """
    settings = read_command_settings(DataSettings)

    async def run() -> ResultT:
        async with open_store(settings) as store:
            await check_schema(store.database)
            if encrypts:
                await check_ring(store.database, now=store.now())
            return await work(store)

    with explained_failures(ValueError):
        return asyncio.run(run())


@asynccontextmanager
async def open_store(settings: DataSettings) -> AsyncIterator[Store]:
    """The database with its encryption, unchecked; closed at the end."""
    encryption = Encryption(settings.key_ring)
    url = settings.auth_database_url.get_secret_value()
    database = Database(url, encryption, pool_size=_POOL_SIZE)
    try:
        yield Store(settings, encryption, database, utc_now)
    finally:
        await database.close()


@contextmanager
def explained_failures(*others: type[Exception]) -> Iterator[None]:
    """Turn a failure that an operator can do something about into a line on stderr and exit 1."""
    expected: tuple[type[Exception], ...]
    expected = (CommandFailed, KeysRefused, SchemaOutdated, StorageUnavailable, *others)
    try:
        yield
    except expected as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from None


def read_service_settings(settings_class: type[SettingsT]) -> SettingsT:
    """Settings and log for what runs unattended: every line from AUTH_LOG_LEVEL on."""
    settings = read_settings_or_exit(settings_class)
    configure_logging(
        service="auth", development=settings.is_development, level=settings.auth_log_level
    )
    return settings


def read_command_settings(settings_class: type[SettingsT]) -> SettingsT:
    """Settings and log for what a person runs: warnings only, unless AUTH_LOG_LEVEL asks for more.

    The log goes to stderr; stdout is the command's result.
    """
    settings = read_settings_or_exit(settings_class)
    asked = "auth_log_level" in settings.model_fields_set
    configure_logging(
        service="auth",
        development=settings.is_development,
        level=settings.auth_log_level if asked else "WARNING",
    )
    return settings


def silence_log() -> None:
    """For a command whose output says it all, and whose attempts fail on purpose."""
    configure_logging(service="auth", development=True, level="CRITICAL")


def utc_now() -> datetime:
    """The clock of commands."""
    return datetime.now(UTC)
