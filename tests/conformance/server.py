"""The scenarios for MCP servers: all that the suite has for a protocol version, behind the shim."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
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


async def run_server(suite: Suite, spec_version: str, mcp_url: str) -> Results:
    """Run every scenario that applies to the protocol version, whether or not it needs a fixture.

    What cannot pass here is in the baseline, so that nothing the suite has goes unnoticed.
    """
    return await suite.run(
        spec_version,
        "server",
        *("--url", mcp_url, "--suite", "all", "--spec-version", spec_version),
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
def running_shim(config: StackConfig, raw_handle: str) -> Iterator[str]:
    """Start the replica behind the bearer shim, yield its URL, and stop it whatever happens.

    Call it from the main thread, inside the running stack.
    """
    ports = Ports.free()
    log = config.logs / "mcp-behind-shim.log"
    process = ServiceProcess(_behind_shim(config, ports, raw_handle), (), log, ignore_line)
    try:
        _wait_until_ready(process)
        yield f"http://localhost:{ports.mcp}/mcp"
    finally:
        process.terminate()
        if not process.wait(_STOP_SECONDS):
            process.kill()
            process.wait(_STOP_SECONDS)


def _behind_shim(config: StackConfig, ports: Ports, raw_handle: str) -> Service:
    """Describe the replica: the stack's own MCP service with other ports and the shim's module."""
    services = services_of(config, Secrets.load_or_create(config.state), os.environ)
    service = next(item for item in services if item.name == "mcp")
    inherited = service.environment.get("PYTHONPATH", "")
    return replace(
        service,
        name="mcp-behind-shim",
        module="conformance.shim",
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
            raise ConformanceProblem(f"the MCP server behind the shim did not start:\n{lines}")
        time.sleep(_POLL_SECONDS)


def _first_leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
