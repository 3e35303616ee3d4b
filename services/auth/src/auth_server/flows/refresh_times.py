"""When PingOne is asked for new tokens, when it is asked again, and how long everybody waits."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.upstream.errors import UpstreamUnavailable


@dataclass(frozen=True, slots=True)
class RefreshTimes:
    """When a refresh is due, when it is repeated, and how long everybody waits.

    `timeout` bounds one request to PingOne, `grace` is PingOne's rolling grace period. `lease` must
    outlast two time-outs, the refresh and a fetch of PingOne's keys; else this is a ValueError.
    """

    due_before_expiry: timedelta = timedelta(seconds=120)
    jitter: timedelta = timedelta(seconds=60)
    # A token closer to its end than this is not handed out: it would die on its way to the API.
    least_life: timedelta = timedelta(seconds=30)
    timeout: timedelta = timedelta(seconds=10)
    grace: timedelta = timedelta(0)
    lease: timedelta = timedelta(seconds=50)
    back_off: timedelta = timedelta(seconds=5)
    longest_back_off: timedelta = timedelta(minutes=15)
    wait: timedelta = timedelta(seconds=8)
    poll: timedelta = timedelta(milliseconds=100)
    store_again: timedelta = timedelta(seconds=1)

    def __post_init__(self) -> None:
        """Refuse a lease that a second caller could take while the first one still asks."""
        if self.lease <= 2 * self.timeout:
            raise ValueError("the lease must outlast two time-outs of PingOne")

    def due_at(self, tokens: UpstreamTokens, name: str) -> datetime:
        """When the token set of this name is to be refreshed: the same at each question.

        Jitter by name spreads the refreshes of logins that happened together.
        """
        jitter = self.jitter * (crc32(name.encode()) / 2**32)
        return tokens.expires_at - self.due_before_expiry - jitter

    def is_alive(self, tokens: UpstreamTokens, now: datetime) -> bool:
        """True if the access token may be handed out."""
        return now < tokens.expires_at - self.least_life

    def repeat_since(self, tokens: UpstreamTokens, now: datetime) -> datetime | None:
        """Since when an attempt of unknown outcome must have begun to be repeated now.

        A repetition must reach PingOne within its grace. None: a dead access token leaves nothing
        to lose, so the last attempt is free.
        """
        return now + self.timeout - self.grace if self.is_alive(tokens, now) else None

    def back_off_after(self, error: UpstreamUnavailable) -> timedelta:
        """How long to leave PingOne alone: as long as it asks for, within bounds."""
        asked_for = timedelta(seconds=error.retry_after_seconds or 0)
        return max(self.back_off, min(asked_for, self.longest_back_off))
