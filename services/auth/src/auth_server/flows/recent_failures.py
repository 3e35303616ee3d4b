"""Documents that could not be had a moment ago, so that nobody is asked for them in a row."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from auth_server.domain.errors import UnusableDocument

REMEMBERED_SECONDS: Final = 60.0
MOST_REMEMBERED: Final = 1000


class RecentFailures:
    """The newest MOST_REMEMBERED, each for REMEMBERED_SECONDS, of one process."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures: OrderedDict[str, tuple[float, UnusableDocument]] = OrderedDict()

    def remember(self, client_id: str, failure: UnusableDocument) -> None:
        """It failed like this just now; the oldest one makes room."""
        until = self._monotonic() + REMEMBERED_SECONDS
        self._failures[client_id] = (until, failure)
        self._failures.move_to_end(client_id)
        if len(self._failures) > MOST_REMEMBERED:
            self._failures.popitem(last=False)

    def raise_again(self, client_id: str) -> None:
        """Raise UnusableDocument as it was, if that was a moment ago."""
        until, failure = self._failures.get(client_id, (0.0, None))
        if failure is None:
            return
        if self._monotonic() < until:
            raise UnusableDocument(failure.description, detail=f"a moment ago: {failure.detail}")
        del self._failures[client_id]
