"""The browser's cookie: 256 random bits that bind every step of a login to one browser.

Only its digest is stored. Outside development it is `__Host-`: secure, host-only, path `/`.
"""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from fastapi import Request, Response

from auth_server.domain.handles import Digest, digest, new_secret

_MAX_AGE: Final = timedelta(days=180)
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Browser:
    """The browser of this request."""

    secret: str = field(repr=False)

    @property
    def digest(self) -> Digest:
        """What is stored."""
        return digest(self.secret)


@dataclass(frozen=True, slots=True)
class BrowserCookie:
    """Reads and sets the cookie. Development is http on localhost, where `__Host-` cannot work."""

    is_development: bool

    @property
    def name(self) -> str:
        """The cookie's name."""
        return "mcp_pingone_browser" if self.is_development else "__Host-mcp_pingone_browser"

    def read(self, request: Request) -> Browser | None:
        """The browser that sent this request; None without a usable cookie."""
        secret = secret_in(request, self.name)
        return None if secret is None else Browser(secret)

    def read_or_new(self, request: Request) -> Browser:
        """The browser that sent this request, or a fresh identity for it."""
        return self.read(request) or Browser(new_secret())

    def set_on(self, response: Response, browser: Browser) -> None:
        """Set or prolong the cookie. Lax: the way back from PingOne is a cross-site navigation."""
        response.set_cookie(
            self.name,
            browser.secret,
            max_age=int(_MAX_AGE.total_seconds()),
            path="/",
            secure=not self.is_development,
            httponly=True,
            samesite="lax",
        )


def secret_in(request: Request, cookie: str) -> str | None:
    """The 256 bits in a cookie; None if it is absent or of another form."""
    value = request.cookies.get(cookie, "")
    return value if _SECRET.fullmatch(value) else None
