"""Real stacks for the tests: four processes each, on free ports, reached over sockets only."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest
import pytest_asyncio
from mcp import Client

from local_stack.agent import Agent
from local_stack.browser import Browser, Person
from local_stack.ports import Ports
from local_stack.services import StackConfig
from local_stack.stack import running_stack

DEADLINE_SECONDS = 15.0
POLL_SECONDS = 0.05
# So short that PingOne's token is due for a refresh at every introspection: all tests here run on
# top of upstream refreshes, under the simulator's strictest rule (no grace for a rotated token).
ENVIRONMENT = {
    "MCP_INTROSPECTION_CACHE_SECONDS": "0.3",
    "SIMULATOR_ACCESS_TOKEN_SECONDS": "60",
    "SIMULATOR_REFRESH_GRACE_SECONDS": "0",
}


class DatabaseServer(Protocol):
    """What the fixture postgresql_server gives."""

    def url_of(self, database: str) -> str:
        """The SQLAlchemy URL of one database on this server."""

    def execute(self, statement: str) -> None:
        """Run one statement outside any transaction."""


@dataclass
class RunningStack:
    """A stack, and every agent that tests let loose on it."""

    config: StackConfig
    agents: list[Agent] = field(default_factory=list)

    @property
    def mcp_url(self) -> str:
        """What clients connect to."""
        return self.config.mcp_url

    @property
    def issuer(self) -> str:
        """The authorization server."""
        return self.config.issuer


@dataclass
class World:
    """One test's browsers and agents on one stack; closed after the test."""

    stack: RunningStack
    _resources: AsyncExitStack

    async def browser(self) -> Browser:
        """A browser with a profile of its own."""
        return await self._resources.enter_async_context(Browser())

    async def agent(self, person: Person, browser: Browser | None = None, **options: Any) -> Agent:
        """A client that this person installed; in a browser of its own unless one is given."""
        used = browser or await self.browser()
        agent = Agent(self.stack.mcp_url, used, person, name=f"Agent {uuid4().hex[:8]}", **options)
        self.stack.agents.append(agent)
        return agent


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds; fail at the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not await condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS} s"
        await asyncio.sleep(POLL_SECONDS)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that must succeed; return its structured result."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


def is_running(pid: int) -> bool:
    """Whether there is such a process, other than one that only waits to be noticed as dead."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    return eventually


@pytest.fixture(name="call")
def call_fixture() -> Callable[..., Awaitable[dict[str, Any]]]:
    return call


@pytest.fixture(scope="session", name="is_running")
def is_running_fixture() -> Callable[[int], bool]:
    return is_running


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningStack]:
    """The stack that most tests share; every test runs on both databases."""
    folder = tmp_path_factory.mktemp(f"stack-{request.param}")
    if request.param == "sqlite":
        yield from _run(folder, ENVIRONMENT)
        return
    server: DatabaseServer = request.getfixturevalue("postgresql_server")
    with _database(server) as auth_url, _database(server) as todo_url:
        urls = {"AUTH_DATABASE_URL": auth_url, "TODO_DATABASE_URL": todo_url}
        yield from _run(folder, ENVIRONMENT | urls)


@pytest_asyncio.fixture
async def world(stack: RunningStack) -> AsyncIterator[World]:
    """Browsers and agents on the shared stack."""
    async with AsyncExitStack() as resources:
        yield World(stack, resources)


def _run(folder: Path, environment: dict[str, str]) -> Iterator[RunningStack]:
    config = StackConfig(folder / "state", Ports.free(), environment)
    with running_stack(config):
        yield RunningStack(config)


@contextmanager
def _database(server: DatabaseServer) -> Iterator[str]:
    name = f"e2e_{uuid4().hex}"
    server.execute(f'CREATE DATABASE "{name}"')
    try:
        yield server.url_of(name)
    finally:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
