"""What this process remembers of handles and grants to decide about the next message sooner.

It says nothing about access: whoever is pushed out of these is asked about, or counted, once more.
"""

import hashlib
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

MAX_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class ProvenHandles:
    """Digests of handles that were live a while ago. It says nothing about now."""

    _digests: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    def has(self, raw_handle: str) -> bool:
        """Tell whether it was live; what is in use is not pushed out."""
        digest = _digest(raw_handle)
        if digest not in self._digests:
            return False
        self._digests.move_to_end(digest)
        return True

    def add(self, raw_handle: str) -> None:
        """It is live."""
        self._digests[_digest(raw_handle)] = None
        if len(self._digests) > MAX_REMEMBERED:
            self._digests.popitem(last=False)

    def drop(self, raw_handle: str) -> None:
        """It is live no more."""
        self._digests.pop(_digest(raw_handle), None)


@dataclass(frozen=True, slots=True)
class _Spent:
    units: int
    until: float


@dataclass(slots=True)
class SpentGrants:
    """Grants that were told to wait: what is as large, or larger, does not fit before either."""

    _spent: OrderedDict[str, _Spent] = field(default_factory=OrderedDict)

    def seconds_left(self, grant_id: str, units: int, now: float) -> int | None:
        """For how long a message of so many units does not fit; None if that is not known."""
        spent = self._spent.get(grant_id)
        if spent is None:
            return None
        if spent.until <= now:
            del self._spent[grant_id]
            return None
        return math.ceil(spent.until - now) if units >= spent.units else None

    def note(self, grant_id: str, units: int, until: float) -> None:
        """A message of so many units was refused; times are of the monotonic clock."""
        self._spent[grant_id] = _Spent(units, until)
        self._spent.move_to_end(grant_id)
        if len(self._spent) > MAX_REMEMBERED:
            self._spent.popitem(last=False)


def _digest(raw_handle: str) -> bytes:
    return hashlib.sha256(raw_handle.encode()).digest()
