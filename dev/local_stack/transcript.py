"""Prints the demo: numbered steps, what went over the wire, and what was verified."""

import re
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

_HANDLE = re.compile(r"\b(mcp[ar]t_)([\w-]{4})[\w-]+")
_SHOWN_CHARACTERS = 6


class StepFailed(Exception):
    """A step did not have the result that it must have. The text says which."""


def mask(text: str) -> str:
    """Shorten every handle in a text: its kind and a few characters tell one from another."""
    return _HANDLE.sub(r"\1\2…", text)


def shorten(secret: str) -> str:
    """The beginning of a code, a state, a challenge."""
    return f"{secret[:_SHOWN_CHARACTERS]}…" if secret else "(none)"


class Transcript:
    """A numbered story. A failed check is printed and remembered; the story goes on to tell why."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0
        self._failures: list[str] = []

    @property
    def steps(self) -> int:
        """How many steps were told."""
        return self._steps

    @property
    def failures(self) -> tuple[str, ...]:
        """The checks that failed."""
        return tuple(self._failures)

    def step(self, title: str) -> None:
        """Begin the next step."""
        self._steps += 1
        self._console.print()
        self._console.print(Text(f"{self._steps:>2}  {title}", style="bold"))

    def sent(self, text: str) -> None:
        """What was sent."""
        self._line("→", text, "cyan")

    def received(self, text: str) -> None:
        """What came back."""
        self._line("←", text, "magenta")

    def note(self, text: str) -> None:
        """What to make of it."""
        self._line(" ", text, "")

    def facts(self, facts: Mapping[str, str]) -> None:
        """Names and values, one pair a line."""
        table = Table.grid(padding=(0, 2))
        table.add_column(width=4)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in facts.items():
            table.add_row("", name, Text(mask(value)))
        self._console.print(table)

    def check(self, passed: bool, text: str) -> None:
        """Say whether something holds; a demo with a failure does not exit with 0."""
        if passed:
            self._line("✓", text, "green")
            return
        self._failures.append(text)
        self._line("✗", text, "bold red")

    def _line(self, symbol: str, text: str, style: str) -> None:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=3)
        table.add_column(width=1)
        table.add_column(overflow="fold")
        table.add_row("", Text(symbol, style=style), Text(mask(text)))
        self._console.print(table)
