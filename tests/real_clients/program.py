"""Runs one program under test: bounded in time, on loopback only, and ended with all it started."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEADLINE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The last line of its output, which is a JSON object, of a program that succeeded."""
        assert self.status == 0, self.stderr or self.stdout
        document: dict[str, Any] = json.loads(self.stdout.splitlines()[-1])
        return document


async def run_program(
    command: list[str | Path], environment: Mapping[str, str], *, stdin: str = ""
) -> Outcome:
    """Run it to its end; at the deadline, end it."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # A group of its own: the browser that it opens ends with it.
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            stdout, stderr = await process.communicate(stdin.encode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    assert process.returncode is not None
    return Outcome(process.returncode, stdout.decode(), stderr.decode())
