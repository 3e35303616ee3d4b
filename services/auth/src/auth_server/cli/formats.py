"""What commands share: instants, JSON lines, and the choice between them and text."""

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

MAX_NOTE_LENGTH: Final = 200


class Format(StrEnum):
    """How a command prints: for people, or a JSON object a line."""

    TEXT = "text"
    JSONL = "jsonl"


FormatOption = Annotated[
    Format, typer.Option("--format", help="text for people, jsonl for programs")
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="at most so many")]
YesOption = Annotated[bool, typer.Option("--yes", help="do not ask")]
NoteOption = Annotated[
    str | None,
    typer.Option("--reason", help="why, in your words; kept in the audit trail"),
]


def instant(value: datetime | None) -> str | None:
    """An instant in UTC as RFC 3339 with microseconds, always of the same length."""
    if value is None:
        return None
    text = value.astimezone(UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def shown_instant(value: datetime | None) -> str | None:
    """An instant in UTC for people, to the second."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def parse_instant(value: str | None, option: str) -> datetime | None:
    """Read a date or an ISO 8601 time that an option was given; one without an offset is UTC."""
    if value is None:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        wanted = "must be like 2026-11-02 or 2026-11-02T09:30:00Z"
        raise typer.BadParameter(wanted, param_hint=option) from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed


def check_note(value: str | None, option: str = "--reason") -> str | None:
    """Bound an operator's words, and refuse what is no line of text."""
    if value is None:
        return None
    if len(value) > MAX_NOTE_LENGTH or not value.isprintable():
        wanted = f"must be one line of at most {MAX_NOTE_LENGTH} characters"
        raise typer.BadParameter(wanted, param_hint=option)
    return value


def counted(count: int, noun: str) -> str:
    """A number with its noun: "1 grant", "2 grants"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def write_json_lines(documents: Iterable[Mapping[str, Any]]) -> None:
    """Write an object a line, in ASCII: nothing in it can reach a terminal as a control."""
    for document in documents:
        sys.stdout.write(json.dumps(document) + "\n")
    # Somebody may be following in a pipe.
    sys.stdout.flush()
