"""Starts the whole stack, waits until it is ready, and stops every process of it."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from local_stack.ports import refuse_taken
from local_stack.problem import StackProblem
from local_stack.processes import LineListener, ServiceProcess, ignore_line
from local_stack.secrets import Secrets
from local_stack.services import Service, StackConfig, services_of

START_SECONDS: Final = 60.0
# Longer than a service needs to finish its requests here, shorter than a person's patience.
STOP_SECONDS: Final = 8.0
_POLL_SECONDS: Final = 0.05

PhaseListener = Callable[[str], None]
ServicesOf = Callable[[StackConfig, Secrets, Mapping[str, str]], Sequence[Service]]


def _ignore_phase(_text: str) -> None:
    return None


class Stack:
    """The running processes. Use running_stack to make one."""

    def __init__(self, config: StackConfig, on_line: LineListener) -> None:
        self.config = config
        self._on_line = on_line
        self._processes: list[ServiceProcess] = []

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of everything that was started and still runs."""
        return tuple(item.pid for item in self._processes if item.exit_status is None)

    def refuse_dead(self) -> None:
        """Raise StackProblem if a process has ended that should run, with its last lines."""
        for process in self._processes:
            if process.exit_status is not None:
                raise StackProblem(_obituary(process))

    def last_lines(self) -> dict[str, list[str]]:
        """The end of every service's output."""
        return {item.service.name: item.last_lines for item in self._processes}

    def start(self, services: Sequence[Service], on_phase: PhaseListener) -> None:
        """Start what can start, migrate, start the rest, wait for all; raise StackProblem."""
        deadline = time.monotonic() + START_SECONDS
        on_phase("bringing the databases to the newest schema")
        for service in services:
            if not service.migrates:
                self._processes.append(self._launch(service, service.arguments))
        self._migrate([service for service in services if service.migrates], deadline)
        for service in services:
            if service.migrates:
                self._processes.append(self._launch(service, service.arguments))
        waiting = list(self._processes)
        while waiting:
            on_phase("waiting for " + ", ".join(item.service.name for item in waiting))
            self.refuse_dead()
            waiting = [item for item in waiting if not item.is_ready()]
            _refuse_lateness(deadline, waiting)
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Ask every process to end, all at once; kill those still there after the grace."""
        running = [item for item in self._processes if item.exit_status is None]
        deadline = time.monotonic() + STOP_SECONDS
        try:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(max(0.0, deadline - time.monotonic()))
        finally:
            # Also after a second Ctrl-C, which means: now.
            for process in running:
                if process.exit_status is None:
                    process.kill()
                    process.wait(STOP_SECONDS)

    def _migrate(self, services: Sequence[Service], deadline: float) -> None:
        migrations = [self._launch(service, ("migrate",)) for service in services]
        # While they run they belong to the stack: whatever happens, stop() ends them.
        self._processes += migrations
        for migration in migrations:
            if not migration.wait(max(0.0, deadline - time.monotonic())):
                raise StackProblem(f"the migration of {migration.service.name} takes too long")
            if migration.exit_status != 0:
                raise StackProblem(_obituary(migration))
            self._processes.remove(migration)

    def _launch(self, service: Service, arguments: tuple[str, ...]) -> ServiceProcess:
        log_file = self.config.logs / f"{service.name}.log"
        return ServiceProcess(service, arguments, log_file, self._on_line)


@contextmanager
def running_stack(
    config: StackConfig,
    *,
    describe: ServicesOf = services_of,
    on_line: LineListener = ignore_line,
    on_phase: PhaseListener = _ignore_phase,
) -> Iterator[Stack]:
    """Start a stack, yield it when every service is ready, and stop it whatever happens.

    `describe` tells which processes those are. Call it from the main thread. Raises StackProblem
    when a port is taken or a process fails.
    """
    refuse_taken(config.ports)
    config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Each start has logs of its own: what is read there belongs to what runs now.
    shutil.rmtree(config.logs, ignore_errors=True)
    config.logs.mkdir()
    secrets = Secrets.load_or_create(config.state)
    stack = Stack(config, on_line)
    try:
        stack.start(describe(config, secrets, os.environ), on_phase)
        yield stack
    finally:
        stack.stop()


def _refuse_lateness(deadline: float, waiting: Sequence[ServiceProcess]) -> None:
    if waiting and time.monotonic() > deadline:
        late = waiting[0]
        raise StackProblem(
            f"{late.service.name} was not ready after {START_SECONDS:.0f} s. Its last lines:\n"
            + _indent(late.last_lines)
        )


def _obituary(process: ServiceProcess) -> str:
    return (
        f"{process.service.name} (pid {process.pid}) ended with status {process.exit_status}."
        f" Its last lines:\n{_indent(process.last_lines)}"
    )


def _indent(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines) or "  (no output)"
