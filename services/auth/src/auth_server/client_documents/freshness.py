"""For how long an answer says that it may be kept (RFC 9111)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_STALE: Final = timedelta(0)
_NOT_TO_BE_KEPT: Final = frozenset({"no-store", "no-cache", "private"})
# RFC 9111 1.2.2: whatever is larger counts as this.
_MAX_SECONDS: Final = 2**31


def fresh_for(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """The freshness that is left (RFC 9111 4.2), of a cache that serves many; None if not told.

    What cannot be understood counts as stale (RFC 9111 4.2.1).
    """
    directives = _directives(headers.get("Cache-Control", ""))
    if directives.keys() & _NOT_TO_BE_KEPT:
        return _STALE
    lifetime = _lifetime(headers, directives, now)
    if lifetime is None:
        return None
    return max(_STALE, lifetime - (_seconds(headers.get("Age", "0")) or _STALE))


def _lifetime(
    headers: Mapping[str, str], directives: Mapping[str, str], now: datetime
) -> timedelta | None:
    for name in ("s-maxage", "max-age"):
        if name in directives:
            return _seconds(directives[name]) or _STALE
    if "Expires" not in headers:
        return None
    expires = _date(headers["Expires"])
    return _STALE if expires is None else expires - (_date(headers.get("Date", "")) or now)


def _directives(value: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in value.split(","):
        name, _, argument = part.strip(" \t").partition("=")
        found.setdefault(name.lower(), argument.strip('"'))
    return found


def _seconds(value: str) -> timedelta | None:
    if not (value.isascii() and value.isdigit()):
        return None
    return timedelta(seconds=min(int(value[:12]), _MAX_SECONDS))


def _date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):  # the last: a year, a day or a zone too large
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
