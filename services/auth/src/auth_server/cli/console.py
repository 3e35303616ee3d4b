"""What commands print: tables and colours on a terminal, plain lines in a pipe.

Results go to stdout; log lines and advice go to stderr, so that a result can be piped on.
"""

import sys
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

# No markup, no emoji codes: names come from clients and people. Rich itself heeds NO_COLOR.
console = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
errors = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


def printable(text: str) -> str:
    """A text that cannot move the cursor or colour the screen, whoever wrote it."""
    return "".join(one if one.isprintable() else "�" for one in text)


def say(text: str) -> None:
    """Print a line of the result to stdout."""
    console.print(printable(text))


def advise(text: str) -> None:
    """Print a line for the operator to stderr: what to do next, what to know."""
    errors.print(printable(text))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as a table, or as a block each where the terminal is too narrow for that.

    In a pipe they are lines of tab-separated values, without the heading. None is shown as "-".
    """
    texts = [[printable("-" if cell is None else str(cell)) for cell in row] for row in rows]
    if not console.is_terminal:
        sys.stdout.writelines("\t".join(row) + "\n" for row in texts)
        return
    if any(columns) and _width([columns, *texts]) > console.width:
        for row in texts:
            _print_grid(("", ""), zip(columns, row, strict=True))
            console.print()
        return
    _print_grid(columns, texts)


def _width(rows: Sequence[Sequence[str]]) -> int:
    """How many cells of the terminal these rows need, two of them between columns."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return sum(widths) + 2 * (len(widths) - 1)


def _print_grid(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table, soft_wrap=False)
