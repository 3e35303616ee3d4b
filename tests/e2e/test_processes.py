"""The parts of the development stack that must not fail quietly: processes, ports, keys."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local_stack import leash
from local_stack.ports import Ports
from local_stack.problem import StackProblem
from local_stack.secrets import Secrets
from local_stack.services import Service, StackConfig, services_of
from local_stack.stack import Stack

DEADLINE_SECONDS = 15.0


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Starts a stack of stand-ins: each serves files, which is enough to be ready."""
    stacks: list[Stack] = []

    def make(*names: str) -> Stack:
        config = StackConfig(tmp_path)
        config.logs.mkdir(exist_ok=True)
        ports = Ports.free().by_variable().values()
        stack = Stack(config, lambda _name, _line: None)
        stacks.append(stack)
        services = [_stand_in(name, port) for name, port in zip(names, ports, strict=False)]
        stack.start(services, lambda _phase: None)
        return stack

    yield make
    for stack in stacks:
        stack.stop()


def test_stopping_leaves_no_process(
    make_stack: Callable[..., Stack], is_running: Callable[[int], bool]
) -> None:
    stack = make_stack("one", "two")
    pids = stack.pids
    stack.stop()
    assert len(pids) == 2
    assert not any(map(is_running, pids))


def test_a_service_that_dies_is_named_with_its_last_lines(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("one", "two")
    stack.refuse_dead()
    os.kill(stack.pids[1], signal.SIGKILL)
    with pytest.raises(StackProblem, match=r"two \(pid \d+\) ended with status -9"):
        _poll(stack.refuse_dead)


def test_a_service_that_refuses_to_start_is_named_with_what_it_said(tmp_path: Path) -> None:
    config = StackConfig(tmp_path)
    config.logs.mkdir()
    stack = Stack(config, lambda _name, _line: None)
    service = replace(_stand_in("one", 0), arguments=("not-a-port",))
    with pytest.raises(StackProblem, match=r"(?s)one \(pid \d+\) ended.*'not-a-port'"):
        stack.start([service], lambda _phase: None)
    stack.stop()


def test_output_goes_to_a_file_of_its_own(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    make_stack("one").stop()
    # The stand-in logs the readiness probe.
    assert "GET / HTTP/1.1" in (tmp_path / "logs" / "one.log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="the leash is a feature of Linux")
def test_a_process_on_the_leash_ends_when_its_parent_is_killed(
    is_running: Callable[[int], bool],
) -> None:
    child = [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"]
    parent = (
        "import os, subprocess, sys, time\n"
        f"command = [sys.executable, '-IS', {leash.__file__!r}, str(os.getpid()), *{child!r}]\n"
        "child = subprocess.Popen(command, stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(  # noqa: S603  (a script of this test)
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert is_running(pid)
        process.kill()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while is_running(pid):
        assert time.monotonic() < deadline, "an orphan is left"
        time.sleep(0.02)


def test_each_service_gets_its_own_variables_and_no_one_elses(tmp_path: Path) -> None:
    secrets = Secrets.generate()
    shell = {
        "PATH": "/bin",
        "AUTH_ENCRYPTION_KEYS": "of something else",
        "AUTH_DATABASE_URL": "postgresql+asyncpg://production/auth",
        "PINGONE_TOKEN_ENDPOINT": "https://auth.pingone.eu/production/as/token",
        "AWS_SECRET_ACCESS_KEY": "unrelated",
        "AUTH_ACCESS_HANDLE_SECONDS": "30",
    }
    services = {item.name: item for item in services_of(StackConfig(tmp_path), secrets, shell)}
    for service in services.values():
        assert service.environment["PATH"] == "/bin"
        assert not {"PINGONE_TOKEN_ENDPOINT", "AWS_SECRET_ACCESS_KEY"} & service.environment.keys()
    auth = services["auth"].environment
    assert auth["AUTH_ENCRYPTION_KEYS"] == secrets.auth_encryption_keys
    assert auth["AUTH_DATABASE_URL"] == f"sqlite+aiosqlite:///{tmp_path}/auth.db"
    assert auth["AUTH_ACCESS_HANDLE_SECONDS"] == "30"
    assert "AUTH_ENCRYPTION_KEYS" not in services["mcp"].environment
    assert "MCP_SERVER_CLIENT_SECRET" not in services["mcp"].environment
    assert "INTROSPECTION_CLIENT_SECRET" not in services["todo-api"].environment


def test_keys_outlive_a_restart_and_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    made = Secrets.load_or_create(tmp_path)
    assert Secrets.load_or_create(tmp_path) == made
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert made.cookie_encryption_key not in repr(made)
    (tmp_path / "secrets.json").write_text("{}")
    with pytest.raises(StackProblem, match="make clean"):
        Secrets.load_or_create(tmp_path)


def test_ports_come_from_the_environment_and_must_make_sense() -> None:
    assert Ports.from_environment({}) == Ports()
    assert Ports.from_environment({"MCP_INTERNAL_PORT": "18091"}).mcp_internal == 18091
    with pytest.raises(StackProblem, match="AUTH_PORT"):
        Ports.from_environment({"AUTH_PORT": "eighty"})
    with pytest.raises(StackProblem, match="same port"):
        Ports.from_environment({"AUTH_PORT": "8081"})


def _stand_in(name: str, port: int) -> Service:
    arguments = (str(port), "--bind", "127.0.0.1")
    url = f"http://127.0.0.1:{port}/"
    return Service(name, "http.server", arguments, url, {"PYTHONUNBUFFERED": "1"})


def _poll(check: Callable[[], None]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        check()
        time.sleep(0.02)
