"""The one renderer of OAuth errors, and the redirect back to a client."""

import re
from dataclasses import dataclass
from urllib.parse import urlencode

import structlog
from fastapi import Request
from fastapi.responses import JSONResponse, Response

from auth_server.domain.authorizations import AuthorizationFailed
from auth_server.domain.errors import (
    InvalidClient,
    InvalidToken,
    MissingToken,
    OAuthError,
    TemporarilyUnavailable,
)
from auth_server.flows.client_answers import AnsweredClient

_log = structlog.get_logger(__name__)

# RFC 6749 5.1: whatever a token endpoint says is for one reader, once.
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
RETRY_AFTER_SECONDS = 5
_MAX_CLAIM_LENGTH = 300
_VISIBLE = re.compile(r"[\x21-\x7e]+", re.ASCII)


def note_claimed_client_id(request: Request, client_id: str) -> None:
    """Have a refusal of this request say in the log who it was for, or who pretended to be it."""
    # Anybody's text, in a line that an operator reads.
    if client_id.isprintable():
        request.state.claimed_client_id = client_id[:_MAX_CLAIM_LENGTH]


def oauth_error_response(error: OAuthError, request: Request) -> Response:
    """Render an error as JSON (RFC 6749 5.2), with its detail in the log only."""
    _log.info(
        "oauth.refused",
        path=request.scope["path"],
        error=error.error,
        description=error.description,
        detail=error.detail or None,
        claimed_client_id=getattr(request.state, "claimed_client_id", None),
    )
    headers = dict(NO_STORE)
    if isinstance(error, InvalidClient):
        # RFC 6749 5.2 demands the challenge when the header was used; it does no harm otherwise.
        headers["WWW-Authenticate"] = 'Basic realm="mcp-pingone", charset="UTF-8"'
    if isinstance(error, InvalidToken):
        headers["WWW-Authenticate"] = _bearer_challenge(error)
    if isinstance(error, TemporarilyUnavailable):
        headers["Retry-After"] = str(error.retry_after_seconds or RETRY_AFTER_SECONDS)
    return JSONResponse(
        {"error": error.error, "error_description": error.description},
        status_code=error.status,
        headers=headers,
    )


def _bearer_challenge(error: InvalidToken) -> str:
    challenge = 'Bearer realm="mcp-pingone"'
    if isinstance(error, MissingToken):
        return challenge
    return f'{challenge}, error="{error.error}", error_description="{error.description}"'


@dataclass(frozen=True, slots=True)
class ClientRedirect:
    """Answers authorization requests at their redirect URI, with `state` and `iss` (RFC 9207)."""

    issuer: str

    def answered(self, answered: AnsweredClient) -> Response:
        """The answer at the end of a sign-on (RFC 6749 4.1.2, 4.1.2.1)."""
        request, answer = answered.request, answered.answer
        members = (
            {"error": answer.error, "error_description": answer.description}
            if answer.code is None
            else {"code": answer.code}
        )
        return self._answer(request.redirect_uri, request.state, members)

    def failed(self, failure: AuthorizationFailed) -> Response:
        """The error response to a request that was valid."""
        request = failure.request
        return self.with_error(request.redirect_uri, request.state, failure.error)

    def with_error(self, redirect_uri: str, state: str | None, error: OAuthError) -> Response:
        """The error response (RFC 6749 4.1.2.1)."""
        _log.info("authorization.refused", error=error.error, detail=str(error))
        return self._answer(
            redirect_uri, state, {"error": error.error, "error_description": error.description}
        )

    def _answer(self, redirect_uri: str, state: str | None, answer: dict[str, str]) -> Response:
        with_state = answer if state is None else {**answer, "state": state}
        query = urlencode({**with_state, "iss": self.issuer})
        # RFC 6749 3.1.2: a query that the URI has is kept.
        separator = "&" if "?" in redirect_uri else "?"
        return redirect(f"{redirect_uri}{separator}{query}")


def redirect(url: str) -> Response:
    """303: the browser must follow with GET, and must not repeat a posted form (RFC 9700 4.12).

    The URL is sent as it is. No library rewrites it: it would lead elsewhere than was registered.
    """
    if _VISIBLE.fullmatch(url) is None:
        raise ValueError("a redirect must be a URL in visible ASCII")
    headers = {**NO_STORE, "Referrer-Policy": "no-referrer", "Location": url}
    return Response(status_code=303, headers=headers)
