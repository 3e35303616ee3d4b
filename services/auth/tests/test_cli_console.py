"""What commands print on a terminal: tables that fit, or a block for each row."""

from io import StringIO

import pytest
from rich.console import Console

from auth_server.cli import console
from auth_server.cli.console import print_table

COLUMNS = ("ID", "NAME", "SCOPES")
ROWS = (
    ("0c0f7a3e-36e5-4a0b-9d3c-0123456789ab", "\x1b[31mNice\tclient", "todo_api:read"),
    ("1d1f8b4f-47f6-4b1c-8e4d-0123456789ab", None, "todo_api:read todo_api:write"),
)


def shown(monkeypatch: pytest.MonkeyPatch, *, width: int, is_terminal: bool = True) -> list[str]:
    screen = StringIO()
    terminal = Console(
        file=screen, width=width, force_terminal=is_terminal, color_system=None, soft_wrap=True
    )
    monkeypatch.setattr(console, "console", terminal)
    print_table(COLUMNS, ROWS)
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def test_rows_that_fit_are_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    heading, first, second = shown(monkeypatch, width=100)
    assert heading.split() == list(COLUMNS)
    assert first.split("  ")[0] == ROWS[0][0]
    assert second.split()[1:] == ["-", "todo_api:read", "todo_api:write"]


def test_on_a_narrow_terminal_each_row_is_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, width=60)
    assert lines == [
        "ID      0c0f7a3e-36e5-4a0b-9d3c-0123456789ab",
        "NAME    \N{REPLACEMENT CHARACTER}[31mNice\N{REPLACEMENT CHARACTER}client",
        "SCOPES  todo_api:read",
        "",
        "ID      1d1f8b4f-47f6-4b1c-8e4d-0123456789ab",
        "NAME    -",
        "SCOPES  todo_api:read todo_api:write",
        "",
    ]


def test_in_a_pipe_nothing_is_folded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(monkeypatch, width=20, is_terminal=False) == []
    lines = capsys.readouterr().out.splitlines()
    assert [line.count("\t") for line in lines] == [2, 2]
    assert lines[1] == "\t".join((ROWS[1][0], "-", ROWS[1][2]))
