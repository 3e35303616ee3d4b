"""Turns whatever an endpoint raises into an answer: a page for people, JSON for clients."""

from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import Response

from auth_server.domain.authorizations import AlreadyDecided, ConsentDecision
from auth_server.domain.errors import (
    CannotRedirect,
    OAuthError,
    ServerError,
    TemporarilyUnavailable,
    TooManyRequests,
)
from auth_server.endpoints.account import ACCOUNT_PATHS
from auth_server.endpoints.browser_requests import PAGE_PATHS
from auth_server.endpoints.responses import RETRY_AFTER_SECONDS, oauth_error_response
from auth_server.pages.outcome import Outcome
from auth_server.pages.problem import ProblemView
from auth_server.pages.rendering import Pages
from auth_server.storage.database import StorageUnavailable
from auth_server.storage.encryption import DecryptionFailed, UnknownEncryptionKey
from service_kit.errors import install_problem_handlers

_OUTCOMES: Final = {
    ConsentDecision.ALLOWED: Outcome.CONNECTED,
    ConsentDecision.DENIED: Outcome.DENIED,
    None: Outcome.ENDED,
}

_log = structlog.get_logger(__name__)


def install_failure_handlers(app: FastAPI, pages: Pages) -> None:
    """Every error has a form; none shows a stack trace, a secret or an input."""
    install_problem_handlers(app)

    async def cannot_redirect(request: Request, error: Exception) -> Response:
        if not isinstance(error, CannotRedirect):
            raise error
        _log.info("page.refused", path=request.scope["path"], detail=error.detail or error.title)
        view = ProblemView(error.title, error.explanation, error.what_to_do, _reference())
        return pages.problem(view, error.status)

    async def oauth_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, OAuthError):
            raise error
        if request.scope["path"] in PAGE_PATHS:
            page = await cannot_redirect(request, _as_page(error, request.scope["path"]))
            if error.retry_after_seconds is not None:
                page.headers["Retry-After"] = str(error.retry_after_seconds)
            return page
        return oauth_error_response(error, request)

    async def storage_unavailable(request: Request, error: Exception) -> Response:
        _log.error("storage.unavailable", reason=str(error))
        response = await oauth_error(
            request, TemporarilyUnavailable("the service is unavailable for now; try again later")
        )
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response

    async def unreadable(request: Request, error: Exception) -> Response:
        # A key of the ring is missing or wrong: an outage that ends when the operator puts it back.
        key_id = error.key_id if isinstance(error, UnknownEncryptionKey) else None
        _log.error("storage.unreadable", key_id=key_id, reason=str(error))
        return await oauth_error(
            request, TemporarilyUnavailable("the service is unavailable for now; try again later")
        )

    async def unexpected(request: Request, error: Exception) -> Response:
        _log.error("request.failed", path=request.scope["path"], exc_info=error)
        return await oauth_error(request, ServerError("something went wrong here"))

    _install_outcomes(app, pages)
    app.add_exception_handler(CannotRedirect, cannot_redirect)
    app.add_exception_handler(OAuthError, oauth_error)
    app.add_exception_handler(StorageUnavailable, storage_unavailable)
    app.add_exception_handler(UnknownEncryptionKey, unreadable)
    app.add_exception_handler(DecryptionFailed, unreadable)
    app.add_exception_handler(Exception, unexpected)


def _install_outcomes(app: FastAPI, pages: Pages) -> None:
    """What has ended already is no error: the person is told how it ended."""

    async def already_decided(request: Request, error: Exception) -> Response:
        if not isinstance(error, AlreadyDecided):
            raise error
        _log.info("page.already_decided", path=request.scope["path"], decision=error.decision)
        return pages.outcome(_OUTCOMES[error.decision])

    app.add_exception_handler(AlreadyDecided, already_decided)


def _as_page(error: OAuthError, path: str) -> CannotRedirect:
    is_account = path in ACCOUNT_PATHS
    again = "open the page again" if is_account else "go back to your application and connect again"
    if isinstance(error, TooManyRequests):
        return CannotRedirect(
            "Too many requests",
            "So much has come from your network in a short time that we have to slow it down."
            " Nothing is wrong with your account.",
            f"Wait {_waiting_time(error.retry_after_seconds or 1)}, then {again}.",
            detail=str(error),
            status=error.status,
        )
    return CannotRedirect(
        "This did not work",
        f"We could not go on: {error.description}.",
        f"Wait a moment, then {again}.",
        detail=str(error),
        status=error.status,
    )


def _waiting_time(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"


def _reference() -> str:
    """The request's id, which finds its log lines."""
    return str(structlog.contextvars.get_contextvars().get("request_id", "none"))
