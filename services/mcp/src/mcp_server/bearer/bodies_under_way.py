"""Bodies that are being read: their bytes are bounded for a grant, and for this process.

A budget of messages counts what has arrived. Until then somebody could have any number on the way.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from mcp_server.bearer.refusals import RETRY_AFTER_SECONDS, refuse_message, too_many

# Bodies of the largest size that a grant, and all grants together, may have under way.
OF_A_GRANT: Final = 4
OF_ALL: Final = 64


@dataclass(slots=True)
class BodiesUnderWay:
    """Counts bytes by grant. `max_bytes` is how long one body may be."""

    max_bytes: int
    _by_grant: Counter[str] = field(init=False, default_factory=Counter)
    _total: int = field(init=False, default=0)

    def hold(self, grant_id: str, size: int) -> None:
        """Add what has arrived of a body; raise Refusal if that is more than there may be.

        It is added also then, so that the caller releases all that it has read.
        """
        self._by_grant[grant_id] += size
        self._total += size
        if self._by_grant[grant_id] > OF_A_GRANT * self.max_bytes:
            raise too_many("large messages", RETRY_AFTER_SECONDS, request_id=None)
        if self._total > OF_ALL * self.max_bytes:
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            raise refuse_message(503, "The server is busy with large messages.", headers=headers)

    def release(self, grant_id: str, size: int) -> None:
        """Take away what was held of a body."""
        self._total -= size
        self._by_grant[grant_id] -= size
        if not self._by_grant[grant_id]:
            del self._by_grant[grant_id]
