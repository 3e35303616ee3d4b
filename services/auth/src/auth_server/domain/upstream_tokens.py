"""The PingOne token set behind a grant."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class UpstreamTokens:
    """What PingOne issued. Secret: encrypted at rest, absent from every repr."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    scope: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StoredUpstreamTokens:
    """A token set with the version that a refresh must still find when it writes.

    Until `lease_until` nobody else may refresh it: because somebody does, who `is_leased`, or
    because an attempt has failed. Since `attempted_at` the outcome of an attempt is unknown.
    """

    tokens: UpstreamTokens
    version: int
    is_leased: bool = False
    lease_until: datetime | None = None
    attempted_at: datetime | None = None

    def is_being_refreshed(self, now: datetime) -> bool:
        """True while somebody holds the lease, or may have died holding it."""
        return self.is_leased and self._is_blocked(now)

    def back_off(self, now: datetime) -> timedelta | None:
        """How long nobody may try, because an attempt has failed; None if none has."""
        if self.lease_until is None or self.is_leased or not self._is_blocked(now):
            return None
        return self.lease_until - now

    def may_be_refreshed(self, now: datetime, *, repeat_since: datetime | None) -> bool:
        """SQL has the last word on it: see UpstreamTokenSets.acquire_lease."""
        if self._is_blocked(now):
            return False
        return (
            self.attempted_at is None or repeat_since is None or self.attempted_at >= repeat_since
        )

    def _is_blocked(self, now: datetime) -> bool:
        return self.lease_until is not None and now < self.lease_until
