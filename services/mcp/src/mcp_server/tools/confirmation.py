"""Asks the person, and not the model, before a todo is deleted for good.

MCP 2026-07-28, multi round-trip requests: the first call answers `input_required` with a form and a
request state; the client shows the form and calls again with both. The request state is sealed and
opened by the SDK's boundary (see request_state); here it is already what this server wrote.
"""

import hashlib
import unicodedata
from dataclasses import dataclass, field
from typing import Any, Final

from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    ClientCapabilities,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)

MAX_SHOWN_CHARACTERS: Final = 200

_KEY: Final = "confirm_deletion"
_FORM: Final = {
    "type": "object",
    "properties": {
        "confirm": {
            "type": "boolean",
            "title": "Delete it for good",
            "description": "Without this nothing is deleted.",
        }
    },
    "required": ["confirm"],
}


def must_ask(ctx: Context[Any, Any]) -> bool:
    """Tell whether this call waits for the person's answer.

    True if the client can show a form, and for the second half of a question that was asked:
    a client cannot take its declaration back to be spared the answer. A client of the older era
    declares nothing here: what it said in its handshake is not kept, as there are no sessions.
    """
    return ctx.request_state is not None or _shows_forms(ctx.client_capabilities)


def _shows_forms(capabilities: ClientCapabilities | None) -> bool:
    elicitation = capabilities.elicitation if capabilities is not None else None
    # An empty declaration means forms, as it did before there were URLs.
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


@dataclass(frozen=True, slots=True)
class DeletionQuestion:
    """Whether one todo is to be deleted. `text` is None where this connection may not read it."""

    todo_id: str
    text: str | None = field(repr=False)

    def decision(self, ctx: Context[Any, Any]) -> bool | None:
        """Return what the person decided about this very question; None while it is open.

        An answer to another question, such as one about a text that changed meanwhile, is none,
        and neither is one that does not fill in the form: it says neither yes nor no.
        """
        answer = (ctx.input_responses or {}).get(_KEY)
        if ctx.request_state != self._request_state() or not isinstance(answer, ElicitResult):
            return None
        if answer.action != "accept":
            return False
        confirmed = (answer.content or {}).get("confirm")
        return confirmed if isinstance(confirmed, bool) else None

    def ask(self, ctx: Context[Any, Any]) -> InputRequiredResult:
        """Return the result that has the client ask; raise MCPError if it says it cannot."""
        if not _shows_forms(ctx.client_capabilities):
            raise MCPError(
                MISSING_REQUIRED_CLIENT_CAPABILITY,
                "The question that was asked needs a client that can show a form.",
                {"requiredCapabilities": {"elicitation": {"form": {}}}},
            )
        form = ElicitRequestFormParams(message=self._message(), requested_schema=_FORM)
        return InputRequiredResult(
            input_requests={_KEY: ElicitRequest(params=form)}, request_state=self._request_state()
        )

    def _message(self) -> str:
        shown = f"with the id {self.todo_id}" if self.text is None else _quote(self.text)
        return f"Delete the todo {shown}? It cannot be brought back."

    def _request_state(self) -> str:
        asked = f"{_KEY}\0{self.todo_id}\0{self.text}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(asked).hexdigest()


def _quote(text: str) -> str:
    """Quote what a user wrote, so that it cannot pass for words of this server.

    On one line, without characters that hide or reorder others, without the quotation marks.
    """
    plain = "".join(
        " " if unicodedata.category(character)[0] in "CZ" else character for character in text
    )
    shown = " ".join(plain.translate(str.maketrans("“”", '""')).split())
    if len(shown) > MAX_SHOWN_CHARACTERS:
        shown = shown[: MAX_SHOWN_CHARACTERS - 1] + "…"
    return f"“{shown}”"
