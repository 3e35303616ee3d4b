"""Answers that travel through the browser as a redirect."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi.responses import RedirectResponse

from pingone_simulator.errors import NO_STORE, OAuthError, with_correlation_id


@dataclass(frozen=True, slots=True)
class ClientRedirect:
    """Where the client's answer goes: a redirect URI known to be its own, and its state."""

    redirect_uri: str
    state: str | None

    def with_code(self, code: str, *, status: int) -> RedirectResponse:
        """Send a code (RFC 6749 section 4.1.2)."""
        return redirect_to(self.redirect_uri, {"code": code, "state": self.state}, status=status)

    def with_error(
        self, error: OAuthError, correlation_id: str, *, status: int
    ) -> RedirectResponse:
        """Send an error (RFC 6749 section 4.1.2.1)."""
        answer = {
            "error": error.code,
            "error_description": with_correlation_id(error.description, correlation_id),
            "state": self.state,
        }
        return redirect_to(self.redirect_uri, answer, status=status)


def redirect_to(url: str, query: Mapping[str, str | None], *, status: int) -> RedirectResponse:
    """Redirect to url with the parameters that are not None added to its query."""
    encoded = urlencode({name: value for name, value in query.items() if value is not None})
    separator = "&" if "?" in url else "?"
    target = f"{url}{separator}{encoded}" if encoded else url
    return RedirectResponse(target, status_code=status, headers=NO_STORE)
