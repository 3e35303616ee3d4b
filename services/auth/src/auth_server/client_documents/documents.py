"""What a fetch of somebody's document gives, and how it fails."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol


class DocumentUnavailable(Exception):
    """No usable document came from there. The text is for the log; it holds nothing of the body."""


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """A JSON object as it was published, and for how long its publisher says that it may be kept.

    `fresh_for` is None if the answer does not say (RFC 9111 4.2).
    """

    content: Mapping[str, Any]
    fresh_for: timedelta | None = None


class FetchDocument(Protocol):
    """Fetches a JSON document from a URL that a stranger chose."""

    async def __call__(self, url: str, *, max_bytes: int) -> FetchedDocument:
        """Return the document; raise DocumentUnavailable whatever goes wrong."""
