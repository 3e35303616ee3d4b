"""How often a grant may call tools, and how many made-up handles of an address auth is asked about.

Neither budget can be spent for somebody else: a grant's by whoever presents its live handle only,
and an address's refuses no handle that was live here before.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from mcp_server.handle_verifier import HandleInactive, HandleVerifier, VerifiedHandle
from mcp_server.handle_verifier.handle_format import is_well_formed
from service_kit.counted_addresses import CountedAddresses
from service_kit.rate_limits import Budget, RateLimiter

MAX_PROVEN: Final = 10_000


class BudgetSpent(Exception):
    """Whoever is asking should come back in so many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"again in {seconds} seconds")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Raises BudgetSpent, before auth or the API hear of the request."""

    limiter: RateLimiter
    tool_calls: Budget
    failures: Budget
    addresses: CountedAddresses
    _proven: "_ProvenHandles" = field(init=False, default_factory=lambda: _ProvenHandles())

    async def verify(
        self, verifier: HandleVerifier, raw_handle: str, address: str | None
    ) -> VerifiedHandle:
        """Verify a handle; raises BudgetSpent for an unknown one, and as HandleVerifier.verify.

        A malformed handle asks nothing of auth, and so costs nothing.
        """
        key = self.addresses.key(address)
        if key is None or not is_well_formed(raw_handle):
            return await verifier.verify(raw_handle)
        was_live = self._proven.has(raw_handle)
        if not was_live:
            _refuse(await self.limiter.peek(self.failures, key))
        try:
            handle = await verifier.verify(raw_handle)
        except HandleInactive:
            self._proven.drop(raw_handle)
            if not was_live:
                # Made up, for all that is known here. Of many at once only so many get an answer.
                _refuse(await self.limiter.hit(self.failures, key))
            raise
        self._proven.add(raw_handle)
        return handle

    async def spend_call(self, grant_id: str) -> None:
        """Count a tool call."""
        _refuse(await self.limiter.hit(self.tool_calls, grant_id))


class _ProvenHandles:
    """Digests of handles that were live a while ago. It says nothing about now."""

    def __init__(self) -> None:
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def has(self, raw_handle: str) -> bool:
        return _digest(raw_handle) in self._digests

    def add(self, raw_handle: str) -> None:
        digest = _digest(raw_handle)
        self._digests[digest] = None
        self._digests.move_to_end(digest)
        if len(self._digests) > MAX_PROVEN:
            self._digests.popitem(last=False)

    def drop(self, raw_handle: str) -> None:
        self._digests.pop(_digest(raw_handle), None)


def _digest(raw_handle: str) -> bytes:
    return hashlib.sha256(raw_handle.encode("ascii")).digest()


def _refuse(seconds: int | None) -> None:
    if seconds is not None:
        raise BudgetSpent(seconds)
