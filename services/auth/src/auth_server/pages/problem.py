"""The problem page: what went wrong where no redirect can tell the client, and what to do now."""

from dataclasses import dataclass
from typing import Final

from auth_server.pages.display_text import DisplayText, display_text

_MAX_TITLE_LENGTH: Final = 120
_MAX_PARAGRAPH_LENGTH: Final = 600
_MAX_REFERENCE_LENGTH: Final = 80


@dataclass(frozen=True, slots=True)
class ProblemView:
    """A refusal told to a person. `reference` finds the log line; it must not be a secret."""

    title: str
    explanation: str
    what_to_do: str
    reference: str


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """A ProblemView made fit to be shown: what the template reads."""

    title: DisplayText
    explanation: DisplayText
    what_to_do: DisplayText
    reference: DisplayText


def problem_page(view: ProblemView) -> ProblemPage:
    """Clean and bound every text: whatever a caller quotes in it stays short and harmless."""
    return ProblemPage(
        title=display_text(view.title, max_length=_MAX_TITLE_LENGTH),
        explanation=display_text(view.explanation, max_length=_MAX_PARAGRAPH_LENGTH),
        what_to_do=display_text(view.what_to_do, max_length=_MAX_PARAGRAPH_LENGTH),
        reference=display_text(view.reference, max_length=_MAX_REFERENCE_LENGTH),
    )
