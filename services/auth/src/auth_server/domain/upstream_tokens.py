"""The PingOne token set behind a grant."""

from dataclasses import dataclass, field
from datetime import datetime


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

    `is_being_refreshed` tells that somebody holds the lease, or died holding it.
    """

    tokens: UpstreamTokens
    version: int
    is_being_refreshed: bool = False
