"""The short-lived cookies of a sign-in: one for each form that asks, one for each sign-on begun.

Each binds one thing to the browser that it happened in, and opens nothing else. So two tabs share
no cookie, and a flood of windows to /authorize pushes no sign-on out that is under way.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from fastapi import Request, Response

from service_kit.cookies import cookie_values

# Of one kind in one browser: older ones make room.
MAX_COOKIES: Final = 8
# What one answer removes: somebody who plants more keeps some of them.
_MAX_REMOVED: Final = 16

_ID: Final = re.compile(rb"[A-Za-z0-9_-]{22}")  # 128 bits
_VALUE: Final = re.compile(rb"([0-9]{1,11})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class SignInCookies:
    """Reads and sets the cookies of one kind. Development is http, where `__Host-` cannot work."""

    kind: Literal["asked", "started"]
    lifetime: timedelta
    is_development: bool
    now: Callable[[], datetime]

    def secret_of(self, request: Request, cookie_id: str) -> str | None:
        """The secret that this browser was given with this id; None without a usable cookie."""
        return self._secrets(request).get(cookie_id)

    def secrets(self, request: Request) -> tuple[str, ...]:
        """All secrets of this kind that the browser has."""
        return tuple(self._secrets(request).values())

    def set_on(self, response: Response, request: Request, cookie_id: str, secret: str) -> None:
        """Give the browser a fresh secret; the oldest of its cookies of this kind make room."""
        made = self._made(request)
        made.pop(cookie_id, None)
        oldest_first = sorted(made, key=lambda name: made[name][0])
        surplus = max(0, len(oldest_first) - (MAX_COOKIES - 1))
        for old_id in oldest_first[: min(surplus, _MAX_REMOVED)]:
            self.delete_from(response, old_id)
        response.set_cookie(
            self._prefix + cookie_id,
            f"{int(self.now().timestamp())}.{secret}",
            max_age=int(self.lifetime.total_seconds()),
            path="/",
            secure=not self.is_development,
            httponly=True,
            # The way back from PingOne is a cross-site navigation.
            samesite="lax",
        )

    def delete_from(self, response: Response, cookie_id: str) -> None:
        """Have the browser forget one."""
        response.delete_cookie(
            self._prefix + cookie_id,
            path="/",
            secure=not self.is_development,
            httponly=True,
            samesite="lax",
        )

    @property
    def _prefix(self) -> str:
        return f"{'' if self.is_development else '__Host-'}mcp_pingone_{self.kind}_"

    def _secrets(self, request: Request) -> dict[str, str]:
        return {cookie_id: secret for cookie_id, (_, secret) in self._made(request).items()}

    def _made(self, request: Request) -> dict[str, tuple[int, str]]:
        """When each was made, and its secret, by id."""
        found = cookie_values(request.scope, self._prefix.encode("ascii"))
        made = {}
        for cookie_id, value in found.items():
            parts = _VALUE.fullmatch(value)
            if parts is not None and _ID.fullmatch(cookie_id) is not None:
                made[cookie_id.decode("ascii")] = (int(parts[1]), parts[2].decode("ascii"))
        return made
