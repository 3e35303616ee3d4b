"""Cursors: where the next page begins, in a form that invites nobody to build one.

A cursor is no secret and proves nothing: whatever it says, only the caller's own todos are read.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from service_kit.errors import Problem

_PADDING = "=="  # base64 of 16 bytes; left out on the wire


def cursor_after(todo_id: UUID) -> str:
    """Return the cursor of the page that follows a todo."""
    return urlsafe_b64encode(todo_id.bytes).decode("ascii").removesuffix(_PADDING)


def todo_before(cursor: str) -> UUID:
    """Return the todo that a cursor's page follows; raise a 400 problem."""
    try:
        todo_id = UUID(bytes=urlsafe_b64decode(cursor + _PADDING))
    except ValueError:
        raise _unknown_cursor() from None
    # The decoder skips what it does not know; only what we would have written is a cursor.
    if cursor_after(todo_id) != cursor:
        raise _unknown_cursor()
    return todo_id


def _unknown_cursor() -> Problem:
    return Problem(
        400, "invalid-cursor", "use next_cursor of an earlier page, or none to start at the first"
    )
