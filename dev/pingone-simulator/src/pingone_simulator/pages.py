"""The pages a person sees: sign on, a problem, signed off. No JavaScript, one stylesheet."""

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pingone_simulator.correlation import correlation_id_of
from pingone_simulator.errors import PageProblem
from pingone_simulator.people import PEOPLE

_HERE = Path(__file__).parent

# Without form-action: it would block the redirect to the client that answers the sign-on form.
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Pages:
    """Renders pages whose links stay below the issuer's path."""

    def __init__(self, *, issuer: str, issuer_path: str) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "stylesheet": f"{issuer_path}/static/simulator.css",
            "sign_on_url": f"{issuer}/sign-on",
            "people": PEOPLE,
        }

    def sign_on(
        self, *, authorization_request: str, client_host: str, username: str, failed: bool
    ) -> HTMLResponse:
        """The sign-on form, which carries the signed authorization request."""
        return self._render(
            "sign_on.html",
            authorization_request=authorization_request,
            client_host=client_host,
            username=username,
            failed=failed,
        )

    def problem(self, *, detail: str, correlation_id: str) -> HTMLResponse:
        """What is wrong with a request that must not be redirected."""
        return self._render(
            "problem.html", status=400, detail=detail, correlation_id=correlation_id
        )

    def signed_off(self) -> HTMLResponse:
        """The end of a session, when the client named no place to go to."""
        return self._render("signed_off.html")

    def _render(self, template: str, *, status: int = 200, **context: object) -> HTMLResponse:
        html = self._templates.get_template(template).render(context)
        return HTMLResponse(html, status_code=status, headers=PAGE_HEADERS)


def install_pages(app: FastAPI, pages: Pages, issuer_path: str) -> None:
    """Serve the stylesheet and show every PageProblem."""

    async def show_problem(request: Request, error: Exception) -> HTMLResponse:
        return pages.problem(detail=str(error), correlation_id=correlation_id_of(request))

    app.add_exception_handler(PageProblem, show_problem)
    app.mount(f"{issuer_path}/static", StaticFiles(directory=_HERE / "static"))
