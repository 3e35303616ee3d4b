"""One process of the stack: started on a leash, its output kept in a file, stopped by its pid."""

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from local_stack import leash
from local_stack.services import Service

# Receives a service's name and one line of its output, on a thread of its own.
LineListener = Callable[[str, str], None]

_REMEMBERED_LINES: Final = 30
_PROBE_TIMEOUT_SECONDS: Final = 2.0


def ignore_line(_name: str, _line: str) -> None:
    """The listener of those who read the log files instead."""


class ServiceProcess:
    """A running `python -m module`. Its log file is appended to.

    Start it from the main thread: on Linux it ends with the thread that started it.
    """

    def __init__(
        self, service: Service, arguments: tuple[str, ...], log_file: Path, on_line: LineListener
    ) -> None:
        self.service = service
        self._log_file = log_file
        self._on_line = on_line
        self._last_lines: deque[str] = deque(maxlen=_REMEMBERED_LINES)
        self._process = subprocess.Popen(  # noqa: S603  (our own modules)
            _command(service.module, arguments),
            env=dict(service.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            # Ctrl-C in a terminal reaches only us: we decide in which order processes end.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"log-{service.name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.poll()

    @property
    def last_lines(self) -> list[str]:
        """The end of its output; complete once the process has ended."""
        if self.exit_status is not None:
            self._reader.join(timeout=_PROBE_TIMEOUT_SECONDS)
        return list(self._last_lines)

    def is_ready(self) -> bool:
        """True if the process answers 200 at its readiness URL."""
        parts = urlsplit(self.service.ready_url)
        connection = HTTPConnection(
            parts.hostname or "", parts.port, timeout=_PROBE_TIMEOUT_SECONDS
        )
        try:
            connection.request("GET", parts.path)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def terminate(self) -> None:
        """Ask it to drain and end (SIGTERM)."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._process.kill()

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for its end and for the last line of its output; False if it still runs."""
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return False
        self._reader.join(timeout=_PROBE_TIMEOUT_SECONDS)
        return True

    def _read(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        with stream, self._log_file.open("a", encoding="utf-8") as log:
            for line in stream:
                log.write(line)
                log.flush()
                self._last_lines.append(line.rstrip("\n"))
                self._on_line(self.service.name, line.rstrip("\n"))


def _command(module: str, arguments: tuple[str, ...]) -> list[str]:
    command = [sys.executable, "-m", module, *arguments]
    if sys.platform != "linux":
        return command
    return [sys.executable, "-IS", leash.__file__, str(os.getpid()), *command]
