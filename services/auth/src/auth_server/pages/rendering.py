"""Turns views into responses; the one place that knows the templates and the pages' headers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from auth_server.pages.account import AccountPageView, SignInView, account_page
from auth_server.pages.consent import ConsentView, consent_page
from auth_server.pages.outcome import Outcome
from auth_server.pages.problem import ProblemView, problem_page
from auth_server.pages.static_files import static_url

# No form-action: browsers apply it to the redirect that answers a form too, and that one leaves
# for PingOne or for the client. No Cross-Origin-Opener-Policy: it would cut a client off from the
# window that it opened the sign-in in.
PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# A client never opens the account page, so it may be cut off from whoever did.
SIGN_IN_HEADERS: Final = PAGE_HEADERS | {"Cross-Origin-Opener-Policy": "same-origin"}
# Its forms lead back to it, and nowhere else. The sign-in form must not say so: its answer is the
# redirect to PingOne, which Chromium would block.
ACCOUNT_HEADERS: Final = SIGN_IN_HEADERS | {
    "Content-Security-Policy": (PAGE_HEADERS["Content-Security-Policy"] + "; form-action 'self'")
}


class Pages:
    """All pages. One per process: the templates are compiled once."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["static_url"] = static_url

    def consent(self, view: ConsentView) -> Response:
        """Ask for a decision; the form posts `decision` (`allow` or `deny`) to view.form_action."""
        return self._render("consent.html", consent_page(view), 200)

    def problem(self, view: ProblemView, status: int = 400) -> Response:
        """Tell a person what went wrong, where no redirect can tell the client."""
        return self._render("problem.html", problem_page(view), status)

    def outcome(self, outcome: Outcome) -> Response:
        """Say how a sign-in ended, or have the browser come back for it."""
        reload_seconds = outcome.value.reload_seconds
        response = self._render("outcome.html", outcome.value, 503 if reload_seconds else 200)
        if reload_seconds:
            response.headers["Refresh"] = response.headers["Retry-After"] = str(reload_seconds)
        return response

    def account_sign_in(self, view: SignInView) -> Response:
        """Say what the account page is, and offer to sign in."""
        return self._render("account_sign_in.html", view, 200, SIGN_IN_HEADERS)

    def account(self, view: AccountPageView) -> Response:
        """List the connected apps of the person who is signed in."""
        return self._render("account.html", account_page(view), 200, ACCOUNT_HEADERS)

    def _render(
        self,
        template: str,
        page: object,
        status: int,
        headers: Mapping[str, str] = PAGE_HEADERS,
    ) -> Response:
        html = self._templates.get_template(template).render(page=page)
        return HTMLResponse(html, status_code=status, headers=headers)
