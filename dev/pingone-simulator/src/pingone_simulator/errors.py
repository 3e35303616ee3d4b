"""The errors PingOne answers with, one class per wire code, and their JSON rendering.

OAuthError
+-- InvalidRequest, InvalidScope, InvalidTarget
+-- UnsupportedResponseType, AccessDenied, LoginRequired
+-- InvalidGrant, UnsupportedGrantType, UnsupportedTokenType
+-- InvalidClient   (401, Basic challenge)
+-- BearerRefused   (Bearer challenge)
    +-- MissingToken, InvalidToken, InsufficientScope

PageProblem         (shown to the person, because there is nobody safe to redirect to)
"""

from collections.abc import Mapping
from typing import ClassVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from pingone_simulator.correlation import correlation_id_of

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class OAuthError(Exception):
    """An error with a code of RFC 6749 or a successor; `description` is public."""

    code: ClassVar[str] = "server_error"
    status: ClassVar[int] = 400

    def __init__(self, description: str) -> None:
        super().__init__(f"{self.code}: {description}")
        self.description = description

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers that go with this error."""
        return {}


class InvalidRequest(OAuthError):
    """RFC 6749 sections 4.1.2.1 and 5.2."""

    code = "invalid_request"


class InvalidScope(OAuthError):
    """RFC 6749 sections 4.1.2.1 and 5.2."""

    code = "invalid_scope"


class InvalidTarget(OAuthError):
    """RFC 8707 section 2."""

    code = "invalid_target"


class UnsupportedResponseType(OAuthError):
    """RFC 6749 section 4.1.2.1."""

    code = "unsupported_response_type"


class AccessDenied(OAuthError):
    """RFC 6749 section 4.1.2.1."""

    code = "access_denied"


class LoginRequired(OAuthError):
    """OpenID Connect Core section 3.1.2.6."""

    code = "login_required"


class InvalidGrant(OAuthError):
    """RFC 6749 section 5.2. The reasons differ in the description only."""

    code = "invalid_grant"


class UnsupportedGrantType(OAuthError):
    """RFC 6749 section 5.2."""

    code = "unsupported_grant_type"


class UnsupportedTokenType(OAuthError):
    """RFC 7009 section 2.2.1."""

    code = "unsupported_token_type"


class InvalidClient(OAuthError):
    """RFC 6749 section 5.2."""

    code = "invalid_client"
    status = 401

    @property
    def headers(self) -> Mapping[str, str]:
        """The challenge that a 401 must carry."""
        return {"WWW-Authenticate": 'Basic realm="PingOne simulator"'}


class BearerRefused(OAuthError):
    """A protected resource's refusal (RFC 6750 section 3.1)."""

    status = 401

    @property
    def headers(self) -> Mapping[str, str]:
        """The challenge, with the error in it."""
        challenge = f'Bearer error="{self.code}", error_description="{self.description}"'
        return {"WWW-Authenticate": challenge}


class MissingToken(BearerRefused):
    """No access token was sent."""

    code = "invalid_token"

    @property
    def headers(self) -> Mapping[str, str]:
        """A challenge without an error code: nothing was tried (RFC 6750 section 3.1)."""
        return {"WWW-Authenticate": "Bearer"}


class InvalidToken(BearerRefused):
    """The access token is unknown, expired, revoked, or its session has ended."""

    code = "invalid_token"


class InsufficientScope(BearerRefused):
    """The access token lacks a scope."""

    code = "insufficient_scope"
    status = 403


class PageProblem(Exception):
    """A request that must not be redirected (RFC 6749 section 4.1.2.1): the person is told."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def with_correlation_id(description: str, correlation_id: str) -> str:
    """PingOne puts the correlation id into the description; operators are asked for it."""
    return f"{description} (Correlation ID: {correlation_id})"


def install_oauth_error_handler(app: FastAPI) -> None:
    """Answer every OAuthError that reaches the framework as PingOne's JSON."""
    app.add_exception_handler(OAuthError, _handle_oauth_error)


async def _handle_oauth_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OAuthError)  # noqa: S101  (Starlette dispatches by class)
    description = with_correlation_id(error.description, correlation_id_of(request))
    return JSONResponse(
        {"error": error.code, "error_description": description},
        status_code=error.status,
        headers={**NO_STORE, **error.headers},
    )
