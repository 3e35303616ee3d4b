"""One stack for all clients: PostgreSQL, a proxy it trusts in front, the documents pinned."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Protocol
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from e2e.clients.known_clients import PINNED_DOCUMENTS
from e2e.clients.profile import ClientProfile
from e2e.clients.scripted_client import ScriptedClient

from local_stack.browser import ALICE, Browser, Person
from local_stack.ports import Ports
from local_stack.secrets import Secrets
from local_stack.services import StackConfig, services_of
from local_stack.stack import running_stack

_COMMAND_SECONDS = 30.0
_REQUEST_SECONDS = 10.0  # as patient as claude.ai
ENVIRONMENT = {
    # Every introspection finds PingOne's token due for a refresh, which must go unnoticed.
    "SIMULATOR_ACCESS_TOKEN_SECONDS": "60",
    "MCP_INTROSPECTION_CACHE_SECONDS": "0.3",
    # The documents behind those URLs cannot be fetched in a test: AUTH_CLIENTS pins copies.
    "AUTH_CLIENTS": json.dumps(PINNED_DOCUMENTS),
    "AUTH_TRUSTED_PROXIES": "127.0.0.1/32",
}


class DatabaseServer(Protocol):
    """What the fixture postgresql_server gives."""

    def url_of(self, database: str) -> str:
        """The SQLAlchemy URL of one database on this server."""

    def execute(self, statement: str) -> None:
        """Run one statement outside any transaction."""


class Install(Protocol):
    """Installs clients on the machine of one person, in one browser."""

    async def __call__(
        self, profile: ClientProfile, *, person: Person = ALICE, browser: Browser | None = None
    ) -> ScriptedClient:
        """A client that does what the profile says, in a browser of its own unless one is given."""


Operate = Callable[..., Awaitable[None]]


@pytest.fixture(scope="session")
def clients_stack(
    postgresql_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StackConfig]:
    """The processes that all clients connect to, on the database of production."""
    names = {variable: f"clients_{uuid4().hex}" for variable in ("auth", "todo")}
    for name in names.values():
        postgresql_server.execute(f'CREATE DATABASE "{name}"')
    urls = {
        f"{service.upper()}_DATABASE_URL": postgresql_server.url_of(name)
        for service, name in names.items()
    }
    state = tmp_path_factory.mktemp("clients") / "state"
    config = StackConfig(state, Ports.free(), ENVIRONMENT | urls)
    try:
        with running_stack(config):
            yield config
    finally:
        for name in names.values():
            postgresql_server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def mcp_url(clients_stack: StackConfig) -> str:
    """All that a client is told."""
    return clients_stack.mcp_url


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """The network as clients see it, with the patience of the least patient."""
    async with httpx.AsyncClient(timeout=_REQUEST_SECONDS, trust_env=False) as client:
        yield client


@pytest_asyncio.fixture
async def install(mcp_url: str, http: httpx.AsyncClient) -> AsyncIterator[Install]:
    """Installs clients."""
    async with AsyncExitStack() as resources:

        async def _install(
            profile: ClientProfile, *, person: Person = ALICE, browser: Browser | None = None
        ) -> ScriptedClient:
            if browser is None:
                browser = await resources.enter_async_context(Browser())
            return ScriptedClient(profile, mcp_url, http, browser, person)

        yield _install


@pytest.fixture
def operate(clients_stack: StackConfig) -> Operate:
    """Run a command of `auth` as the operator of the stack does."""

    async def _operate(*arguments: str) -> None:
        secrets = Secrets.load_or_create(clients_stack.state)
        services = {item.name: item for item in services_of(clients_stack, secrets, os.environ)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "auth_server", *arguments),
            env=dict(services["auth"].environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(_COMMAND_SECONDS):
            output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()

    return _operate
