"""The scenarios for MCP servers, against two replicas: the service as it ships, and its fixtures.

Neither replica asks the suite for a handle, because the suite can send none.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx
import httpx2
from conformance.problem import ConformanceProblem
from conformance.results import Results
from conformance.shim import HANDLE_VARIABLE
from conformance.suite import Suite
from mcp.client.auth import OAuthFlowError
from mcp.shared.exceptions import MCPError

from local_stack.agent import Agent, AuthorizationRefused
from local_stack.browser import ALICE, Browser, UnexpectedPage
from local_stack.ports import Ports
from local_stack.processes import ServiceProcess, ignore_line
from local_stack.secrets import Secrets
from local_stack.services import Service, StackConfig, services_of

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 8.0
_POLL_SECONDS: Final = 0.05
_SCENARIO_MILLISECONDS: Final = 15_000
_PREFIX: Final = "server-"
# What a stack that does not work makes of signing in, alone or in a group of the SDK's.
_FAILURES: Final = (
    AuthorizationRefused,
    UnexpectedPage,
    OAuthFlowError,
    MCPError,
    httpx.HTTPError,
    httpx2.HTTPError,
)
_TESTS: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class ServerRun:
    """One run of the suite: what it is called, at which protocol version, and which scenarios."""

    name: str
    version: str
    scored_only: bool

    @property
    def selection(self) -> tuple[str, ...]:
        """How the suite is told which scenarios to run."""
        if self.scored_only:
            return ("--requirements", self.version)
        return ("--suite", "all", "--spec-version", self.version)


@dataclass(frozen=True, slots=True)
class Replica:
    """One more MCP server beside the stack: the module that serves it, and the runs against it."""

    module: str
    runs: tuple[ServerRun, ...]


# Whatever the suite has, whether or not it needs a fixture: what cannot pass here is in the
# baseline, so that nothing new goes unnoticed.
AS_SHIPPED: Final = Replica(
    "conformance.shim",
    (
        ServerRun("2026-07-28", "2026-07-28", scored_only=False),
        ServerRun("2025-11-25", "2025-11-25", scored_only=False),
    ),
)
# What conformance to a revision requires, a set that was frozen at the revision's release.
WITH_FIXTURES: Final = Replica(
    "conformance.fixture_server",
    (
        ServerRun("fixtures-2026-07-28", "2026-07-28", scored_only=True),
        ServerRun("fixtures-2025-11-25", "2025-11-25", scored_only=True),
    ),
)


async def run_server(suite: Suite, run: ServerRun, mcp_url: str) -> Results:
    """Perform one run against the server at mcp_url; raise ConformanceProblem."""
    return await suite.run(
        run.name,
        "server",
        *("--url", mcp_url, *run.selection),
        *("--timeout", str(_SCENARIO_MILLISECONDS)),
        prefix=_PREFIX,
    )


async def obtain_handle(config: StackConfig) -> str:
    """Return a handle with every scope, got as any client gets it: challenge, consent, step-up.

    Raises ConformanceProblem if a step of that fails.
    """
    try:
        async with Browser() as browser:
            agent = Agent(config.mcp_url, browser, ALICE, name="Conformance")
            async with agent.connect() as client:
                await client.call_tool("create_todo", {"text": "Made before the suite ran"})
            return agent.access_handle
    except (ExceptionGroup, *_FAILURES) as error:
        cause = _first_leaf(error)
        raise ConformanceProblem(f"no handle: {type(cause).__name__}: {cause}") from error


@contextmanager
def running_replica(config: StackConfig, module: str, raw_handle: str) -> Iterator[str]:
    """Start the replica that a module serves, yield its URL, and stop it whatever happens.

    Call it from the main thread, inside the running stack.
    """
    ports = Ports.free()
    log = config.logs / f"{module}.log"
    process = ServiceProcess(_describe(config, ports, module, raw_handle), (), log, ignore_line)
    try:
        _wait_until_ready(process)
        yield f"http://localhost:{ports.mcp}/mcp"
    finally:
        process.terminate()
        if not process.wait(_STOP_SECONDS):
            process.kill()
            process.wait(_STOP_SECONDS)


def _describe(config: StackConfig, ports: Ports, module: str, raw_handle: str) -> Service:
    """Describe the replica: the stack's own MCP service with other ports and another module."""
    services = services_of(config, Secrets.load_or_create(config.state), os.environ)
    service = next(item for item in services if item.name == "mcp")
    inherited = service.environment.get("PYTHONPATH", "")
    return replace(
        service,
        name=module,
        module=module,
        ready_url=f"http://127.0.0.1:{ports.mcp_internal}/readyz",
        environment={
            **service.environment,
            "MCP_PORT": str(ports.mcp),
            "MCP_INTERNAL_PORT": str(ports.mcp_internal),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_TESTS), inherited])),
            HANDLE_VARIABLE: raw_handle,
        },
    )


def _wait_until_ready(process: ServiceProcess) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not process.is_ready():
        if process.exit_status is not None or time.monotonic() > deadline:
            lines = "\n".join(process.last_lines)
            raise ConformanceProblem(f"a replica of the MCP server did not start:\n{lines}")
        time.sleep(_POLL_SECONDS)


def _first_leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
