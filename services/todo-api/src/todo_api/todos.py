"""What a todo is, which texts it takes, and how a request for one can fail. Pure: no I/O."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

MAX_TEXT_LENGTH = 1000

# C0, DEL and C1 controls but tab, line feed and carriage return. NUL is among them: PostgreSQL
# cannot store it, and the rest only ever serves to disturb terminals and logs.
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Todo:
    """One todo of one owner. `version` starts at 1 and grows with every change."""

    id: UUID
    text: str
    completed: bool
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TodoChange:
    """What to change; None leaves the value as it is."""

    text: str | None = None
    completed: bool | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of one owner's todos, oldest first; `next_after` is None on the last page."""

    todos: tuple[Todo, ...]
    next_after: UUID | None


class TodoNotFound(Exception):
    """The owner has no such todo; somebody else may, which is not this caller's business."""


class TodoVersionMismatch(Exception):
    """The todo is there, but in none of the versions the caller knows."""


class TooManyTodos(Exception):
    """The owner is at the ceiling."""

    def __init__(self, ceiling: int) -> None:
        super().__init__(f"nobody may have more than {ceiling} todos")


def clean_text(text: str) -> str:
    """Return the text without surrounding white space; raise ValueError if no todo may have it."""
    if _CONTROL_CHARACTER.search(text):
        raise ValueError("must not contain control characters other than tab and line breaks")
    stripped = text.strip()
    if not 1 <= len(stripped) <= MAX_TEXT_LENGTH:
        raise ValueError(
            f"must have 1 to {MAX_TEXT_LENGTH} characters, not counting surrounding white space"
        )
    return stripped
