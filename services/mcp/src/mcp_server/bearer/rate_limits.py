"""How often a grant may call tools, and how many made-up handles of an address auth is asked about.

A grant's budget is spent only by whoever presents its live handle. An address's is spent by all who
share it, so it refuses no handle that was live here before; a new one waits while it is spent.
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
        if self._proven.has(raw_handle):
            try:
                return await verifier.verify(raw_handle)
            except HandleInactive:
                self._proven.drop(raw_handle)
                raise
        key = self.addresses.key(address)
        if key is None or not is_well_formed(raw_handle):
            return await verifier.verify(raw_handle)
        _refuse(await self.limiter.peek(self.failures, key))
        try:
            handle = await verifier.verify(raw_handle)
        except HandleInactive:
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
        """Tell whether it was live; what is in use is not pushed out."""
        digest = _digest(raw_handle)
        if digest not in self._digests:
            return False
        self._digests.move_to_end(digest)
        return True

    def add(self, raw_handle: str) -> None:
        self._digests[_digest(raw_handle)] = None
        if len(self._digests) > MAX_PROVEN:
            self._digests.popitem(last=False)

    def drop(self, raw_handle: str) -> None:
        self._digests.pop(_digest(raw_handle), None)


def _digest(raw_handle: str) -> bytes:
    return hashlib.sha256(raw_handle.encode()).digest()


def _refuse(seconds: int | None) -> None:
    if seconds is not None:
        raise BudgetSpent(seconds)
