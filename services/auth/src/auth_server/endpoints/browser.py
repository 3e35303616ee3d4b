"""The browser's cookie: 256 random bits that bind every step of a login to one browser.

Only its digest is stored. Outside development it is `__Host-`: secure, host-only, path `/`.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from fastapi import Request, Response

from auth_server.domain.handles import Digest, digest, new_secret
from auth_server.endpoints.cookies import secret_digest

# As long as browsers keep any cookie (RFC 6265bis 5.5): it is set once, and never prolonged.
_MAX_AGE: Final = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Browser:
    """The browser of this request: what is stored of its secret.

    The secret is here only if this request made it. What a request brought is never set again:
    somebody else may have planted it.
    """

    digest: Digest
    new_secret: str | None = field(default=None, repr=False)


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
        sent = secret_digest(request, self.name)
        return None if sent is None else Browser(sent)

    def read_or_new(self, request: Request) -> Browser:
        """The browser that sent this request, or a fresh identity for it."""
        return self.read(request) or _new_browser()

    def set_on(self, response: Response, browser: Browser) -> None:
        """Set the cookie of a new browser; a known one keeps what it has.

        Lax: the way back from PingOne is a cross-site navigation.
        """
        if browser.new_secret is None:
            return
        response.set_cookie(
            self.name,
            browser.new_secret,
            max_age=int(_MAX_AGE.total_seconds()),
            path="/",
            secure=not self.is_development,
            httponly=True,
            samesite="lax",
        )


def _new_browser() -> Browser:
    secret = new_secret()
    return Browser(digest(secret), secret)
