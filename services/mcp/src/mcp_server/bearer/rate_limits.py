"""How much a grant may send, and about how many made-up handles of an address auth is asked.

A grant's budgets are spent only by whoever presents its live handle. An address's is spent by all
who share it, so it refuses no handle that was live here before; a new one waits while it is spent.

A message is counted in one round trip to Redis. One without a live handle asks Redis nothing: each
process bounds by itself how often it asks auth.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mcp_server.bearer.remembered_grants import ProvenHandles, SpentGrants
from mcp_server.handle_verifier import HandleInactive, HandleVerifier, VerifiedHandle
from mcp_server.handle_verifier.handle_format import is_well_formed
from service_kit.counted_addresses import CountedAddresses, CountedNetwork
from service_kit.rate_limits import Budget, Charge, RateLimiter, Refusal

# A message counts once for each of these that its body has begun.
UNIT_BYTES: Final = 16 * 1024


def units_of(size: int) -> int:
    """What a message with a body of so many bytes counts for."""
    return max(1, math.ceil(size / UNIT_BYTES))


class BudgetSpent(Exception):
    """Whoever is asking should come back in so many seconds."""

    def __init__(self, budget: Budget, seconds: int) -> None:
        super().__init__(f"{budget.name}: again in {seconds} seconds")
        self.budget = budget
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of a grant, and those of an address, which each process has for itself."""

    messages: Budget
    tool_calls: Budget
    failures: Budget
    cross_origin: Budget


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Raises BudgetSpent, before auth, the SDK or the API hear of the request."""

    limiter: RateLimiter
    budgets: Budgets
    addresses: CountedAddresses
    monotonic: Callable[[], float]
    _proven: ProvenHandles = field(init=False, default_factory=ProvenHandles)
    _spent: SpentGrants = field(init=False, default_factory=SpentGrants)
    # Questions to auth under way, by budget and network: each may turn out to be a failure.
    _under_way: Counter[tuple[str, str]] = field(init=False, default_factory=Counter)

    async def verify(
        self,
        verifier: HandleVerifier,
        raw_handle: str,
        address: str | None,
        *,
        is_from_elsewhere: bool,
    ) -> VerifiedHandle:
        """Verify a handle; raises BudgetSpent for an unknown one, and as HandleVerifier.verify.

        A malformed handle asks nothing of auth, and so costs nothing. What a page of another origin
        presents is counted apart from what others at its browser's address do.
        """
        if self._proven.has(raw_handle):
            try:
                return await verifier.verify(raw_handle)
            except HandleInactive:
                self._proven.drop(raw_handle)
                raise
        networks = self.addresses.networks(address)
        if not networks or not is_well_formed(raw_handle):
            return await verifier.verify(raw_handle)
        budget = self.budgets.cross_origin if is_from_elsewhere else self.budgets.failures
        handle = await self._verify_unproven(verifier, raw_handle, budget, networks)
        self._proven.add(raw_handle)
        return handle

    def refuse_if_spent(self, grant_id: str, size: int) -> None:
        """Raise BudgetSpent if a message of so many bytes is known not to fit: nobody is asked."""
        seconds = self._spent.seconds_left(grant_id, units_of(size), self.monotonic())
        if seconds is not None:
            self.limiter.note_refusal(self.budgets.messages)
            raise BudgetSpent(self.budgets.messages, seconds)

    async def spend(self, grant_id: str, size: int, *, is_tool_call: bool) -> None:
        """Count a message by its bytes; a tool call that is one too many counts as one, too."""
        units = units_of(size)
        charges = [Charge(self.budgets.messages, (grant_id,), units)]
        if is_tool_call:
            charges.append(Charge(self.budgets.tool_calls, (grant_id,)))
        refusal = await self.limiter.hit_in_turn(*charges)
        if refusal is None:
            return
        if refusal.budget is self.budgets.messages:
            self._spent.note(grant_id, units, self.monotonic() + refusal.seconds)
        raise BudgetSpent(refusal.budget, refusal.seconds)

    async def _verify_unproven(
        self,
        verifier: HandleVerifier,
        raw_handle: str,
        budget: Budget,
        networks: tuple[CountedNetwork, ...],
    ) -> VerifiedHandle:
        charges = [one.charge(budget) for one in networks]
        _refuse(await self.limiter.peek_in_turn(*charges))
        places = Counter((budget.name, one.key) for one in networks)
        # So that of many at once no more are asked about than may fail.
        many = (
            one.charge(budget, cost=self._under_way[budget.name, one.key] + 1) for one in networks
        )
        if await self.limiter.peek_in_turn(*many) is not None:
            raise BudgetSpent(budget, 1)
        self._under_way.update(places)
        try:
            return await verifier.verify(raw_handle)
        except HandleInactive:
            # Made up, for all that is known here.
            await self.limiter.hit_in_turn(*charges)
            raise
        finally:
            self._under_way.subtract(places)
            for place in places:
                if not self._under_way[place]:
                    del self._under_way[place]


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise BudgetSpent(refusal.budget, refusal.seconds)
