"""Runs the suite as a process of its own, keeps its output in a file, and reads its results."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from conformance.node import InstalledSuite
from conformance.problem import ConformanceProblem
from conformance.results import Results, read_results

_RUN_SECONDS: Final = 120.0
# Passed is 0 and failed is 1; which checks failed is in the results, and judged here.
_FINISHED: Final = (0, 1)
_LONGEST_LINE_BYTES: Final = 4 * 1024 * 1024

LineListener = Callable[[str], Awaitable[None]]


async def ignore_line(_line: str) -> None:
    """The listener of those who only want the results."""


@dataclass(frozen=True, slots=True)
class Suite:
    """The installed suite, and the folder that receives what it reports."""

    installed: InstalledSuite
    folder: Path

    def scored(self, revision: str) -> frozenset[str]:
        """Return the scenarios for servers that conformance to a revision requires.

        This is what `conformance list --server --requirements` shows; raises ConformanceProblem.
        """
        file = self.installed.requirements / f"{revision}.yaml"
        document = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
        names = frozenset((document or {}).get("server", ()))
        if not names:
            raise ConformanceProblem(f"the suite requires nothing of servers for {revision}")
        return names

    async def run(
        self, name: str, *arguments: str, prefix: str, on_line: LineListener = ignore_line
    ) -> Results:
        """Run one command of the suite and return its results; raise ConformanceProblem.

        The results and the output stay in a folder called name. The suite prefixes the folder of
        each scenario; prefix says with what.
        """
        folder = self.folder / name
        folder.mkdir(parents=True)
        command = [*arguments, "--output-dir", str(folder)]
        status = await self._execute(command, folder / "output.log", on_line)
        if status not in _FINISHED:
            raise ConformanceProblem(f"the suite ended with status {status}; see {folder}")
        return read_results(folder, prefix)

    async def _execute(self, arguments: list[str], log: Path, on_line: LineListener) -> int:
        process = await asyncio.create_subprocess_exec(
            self.installed.node,
            self.installed.entry,
            *arguments,
            # Nothing of the shell: a NODE_OPTIONS or a proxy meant for other work stays outside.
            env={"NO_COLOR": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LONGEST_LINE_BYTES,
        )
        try:
            async with asyncio.timeout(_RUN_SECONDS):
                await _follow(process, log, on_line)
                return await process.wait()
        except TimeoutError as error:
            raise ConformanceProblem(
                f"the suite was not done after {_RUN_SECONDS:.0f} s; see {log}"
            ) from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _follow(process: asyncio.subprocess.Process, log: Path, on_line: LineListener) -> None:
    if process.stdout is None:
        return
    with log.open("w", encoding="utf-8") as stream:
        async for raw_line in process.stdout:
            line = raw_line.decode("utf-8", errors="replace").rstrip("\n")
            stream.write(f"{line}\n")
            await on_line(line)
