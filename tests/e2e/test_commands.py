"""`python -m local_stack`: what `make demo` and `make dev` do, and what they say."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local_stack.agent import Agent
from local_stack.browser import ALICE, Browser
from local_stack.ports import Ports
from local_stack.services import StackConfig

IsRunning = Callable[[int], bool]

START_SECONDS = 90
STOP_SECONDS = 30
HANDLE_SECONDS = 2
QUESTION = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@dataclass
class Up:
    """A running `python -m local_stack up` and what it has printed."""

    config: StackConfig
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    @property
    def output(self) -> str:
        """All of it, so far."""
        return "".join(self.lines)

    def wait_until_it_runs(self) -> None:
        """Wait for the closing panel, down to its last row."""
        deadline = time.monotonic() + START_SECONDS
        while "Ctrl-C" not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def exit_status(self) -> int:
        """Wait for its end. One that does not come says in the output where it hangs."""
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            return self.process.wait()

    def close(self) -> None:
        """Stop it the hard way, if it still runs."""
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self.lines.extend(stream)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, is_running: IsRunning) -> Iterator[Up]:
    """The stack as a developer starts it; ended by Ctrl-C, which must leave nothing behind."""
    config = StackConfig(tmp_path_factory.mktemp("up") / "state", Ports.free())
    variables = {name: str(port) for name, port in config.ports.by_variable().items()}
    variables |= {
        "AUTH_ACCESS_HANDLE_SECONDS": str(HANDLE_SECONDS),
        # Left over in the shell from other work: none of it concerns this stack.
        "AUTH_DATABASE_URL": "postgresql+asyncpg://nobody@192.0.2.1/production",
        "PINGONE_TOKEN_ENDPOINT": "https://192.0.2.1/token",
    }
    process = _start("up", "--state", str(config.state), environment=variables)
    running = Up(config, process)
    try:
        running.wait_until_it_runs()
        children = _children(process.pid)
        assert len(children) == 4
        yield running
        process.send_signal(signal.SIGINT)
        assert running.exit_status() == 0, running.output
        assert [pid for pid in children if is_running(pid)] == []
    finally:
        running.close()


def test_up_says_where_to_connect_who_to_be_and_how_to_stop(up: Up) -> None:
    for words in (
        up.config.mcp_url,
        "alice/alice, bob/bob",
        "npx @modelcontextprotocol/inspector",
        f"claude mcp add --transport http todo {up.config.mcp_url}",
        f"npx mcp-remote {up.config.mcp_url}",
        "make clean",
        "Ctrl-C",
    ):
        assert words in up.output
    for name in ("simulator", "auth", "mcp", "todo-api"):
        assert re.search(rf"^{name} +│ \S", up.output, re.MULTILINE)


def test_the_state_is_for_its_owner_alone(up: Up) -> None:
    assert up.config.state.stat().st_mode & 0o777 == 0o700
    assert (up.config.state / "secrets.json").stat().st_mode & 0o777 == 0o600


async def test_an_expired_handle_is_refreshed_without_the_person(
    up: Up, call: Any, eventually: Any
) -> None:
    async with Browser() as browser:
        agent = Agent(up.config.mcp_url, browser, ALICE)
        async with agent.connect() as client:
            before = await call(client, "who_am_i")
            old = agent.memory.tokens
            assert old is not None
            assert old.expires_in == HANDLE_SECONDS

            async def has_expired() -> bool:
                answer = await agent.post(agent.mcp_url, document=QUESTION)
                return agent.handle_has_expired and answer.status == 401

            await eventually(has_expired)
            after = await call(client, "who_am_i")
    new = agent.memory.tokens
    assert new is not None
    assert after["subject"] == before["subject"]
    assert new.access_token != old.access_token
    assert new.refresh_token != old.refresh_token
    assert len(agent.visits) == 1
    refreshes = [item for item in agent.exchanges if item.form.get("grant_type") == "refresh_token"]
    assert refreshes[0].form["refresh_token"] == old.refresh_token
    assert {item.status for item in refreshes} == {200}


def test_the_demo_tells_the_whole_story_and_exits_with_0() -> None:
    with _start("demo", environment={}) as process:
        output, _ = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 0, output
    for tool in ("who_am_i", "list_todos", "create_todo", "set_todo_status", "delete_todo"):
        assert f"tools/call {tool}" in output
    assert "it names the client" in output
    assert "the password is typed at PingOne" in output
    assert "with the revoked handle" in output
    assert "✗" not in output
    assert not re.search(r"mcp[ar]t_[\w-]{5,}|eyJ[\w-]{5,}", output)


def test_a_port_in_use_is_named_with_what_to_do_about_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        environment = {name: str(item) for name, item in Ports.free().by_variable().items()}
        finished = _run(
            "up", "--state", str(tmp_path / "s"), environment=environment | {"MCP_PORT": str(port)}
        )
    assert finished.returncode == 1
    assert f"{port} (MCP_PORT)" in finished.stdout
    assert re.search(r"MCP_PORT=\d+ make dev", finished.stdout)
    assert not (tmp_path / "s").exists()


def test_the_help_explains_commands_and_variables() -> None:
    finished = _run("--help", environment={})
    assert finished.returncode == 0
    for words in ("up ", "demo ", "AUTH_PORT", "AUTH_ACCESS_HANDLE_SECONDS", "Ctrl-C"):
        assert words in finished.stdout


def _start(*arguments: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  (our own module)
        [sys.executable, "-m", "local_stack", *arguments],
        env={**os.environ, "COLUMNS": "160", "TERM": "dumb", "PYTHONFAULTHANDLER": "1"}
        | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _run(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    with _start(*arguments, environment=environment) as process:
        output, _ = process.communicate(timeout=START_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout=output)


def _children(pid: int) -> list[int]:
    names = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(name) for name in names]
