"""The cookie of the account page's session: 256 random bits, made anew at each sign-in.

It has no Max-Age: it goes with the browser's session. When it stops counting the server decides.
"""

from dataclasses import dataclass

from fastapi import Request, Response

from auth_server.domain.handles import Digest
from auth_server.endpoints.cookies import secret_digest


@dataclass(frozen=True, slots=True)
class AccountCookie:
    """Reads, sets and deletes the cookie; `__Host-` wherever that works, as BrowserCookie."""

    is_development: bool

    @property
    def name(self) -> str:
        """The cookie's name."""
        return "mcp_pingone_account" if self.is_development else "__Host-mcp_pingone_account"

    def read(self, request: Request) -> Digest | None:
        """The digest of the secret that this request carries; None without a usable one."""
        return secret_digest(request, self.name)

    def set_on(self, response: Response, secret: str) -> None:
        """Begin a session. Lax: PingOne's answer, a cross-site navigation, leads to the page."""
        response.set_cookie(
            self.name,
            secret,
            path="/",
            secure=not self.is_development,
            httponly=True,
            samesite="lax",
        )

    def delete_from(self, response: Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(
            self.name, path="/", secure=not self.is_development, httponly=True, samesite="lax"
        )
