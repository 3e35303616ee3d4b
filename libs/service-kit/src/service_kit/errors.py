"""RFC 9457 problem documents for the services' own APIs (OAuth endpoints have their own errors)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

PROBLEM_MEDIA_TYPE = "application/problem+json"
# A body can be wrong in as many places as it has bytes; a person corrects the first few.
MAX_REPORTED_ERRORS = 10
MAX_POINTER_PART_LENGTH = 60

_log = structlog.get_logger(__name__)


class Problem(Exception):
    """A refusal with a public text. `type_` is a stable name, `detail` says what to change."""

    def __init__(
        self,
        status: int,
        type_: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {type_}: {detail}")
        self.status = status
        self.type = type_
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})


class _ProblemDocument(JSONResponse):
    media_type = PROBLEM_MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        # Escaped, since half a surrogate pair, which JSON can send, has no UTF-8 to answer it in.
        return json.dumps(content, ensure_ascii=True).encode("ascii")


def problem_response(problem: Problem) -> JSONResponse:
    """Render a problem (RFC 9457 section 3)."""
    return _ProblemDocument(
        {
            "type": f"urn:problem:{problem.type}",
            "title": HTTPStatus(problem.status).phrase,
            "status": problem.status,
            "detail": problem.detail,
            **problem.extensions,
        },
        status_code=problem.status,
        headers=problem.headers,
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of this application a problem document, including the framework's own."""
    app.add_exception_handler(Problem, _handle_problem)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    app.add_exception_handler(RequestValidationError, _handle_invalid_request)
    app.add_exception_handler(Exception, _handle_unexpected)


async def _handle_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101  (Starlette dispatches by class)
    return problem_response(error)


async def _handle_http_exception(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  (Starlette dispatches by class)
    phrase = HTTPStatus(error.status_code).phrase
    name = phrase.lower().replace(" ", "-")
    return problem_response(
        Problem(error.status_code, name, str(error.detail), headers=error.headers)
    )


async def _handle_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  (Starlette dispatches by class)
    # Where and what, never the value: it may be a secret sent to the wrong place.
    errors = [
        {"pointer": _pointer(item["loc"]), "detail": _MESSAGES.get(item["type"], item["msg"])}
        for item in error.errors()[:MAX_REPORTED_ERRORS]
    ]
    detail = "; ".join(f"{item['pointer']}: {item['detail']}" for item in errors[:5])
    return problem_response(
        Problem(
            422,
            "invalid-request",
            detail or "the request is not valid",
            extensions={"errors": errors},
        )
    )


# Pydantic's own message quotes what was sent.
_MESSAGES = {"union_tag_invalid": "Input tag is none of the expected tags"}


def _pointer(location: Sequence[Any]) -> str:
    """Write a place as a JSON pointer (RFC 6901 section 3)."""
    parts = (str(part)[:MAX_POINTER_PART_LENGTH] for part in location)
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


async def _handle_unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error(
        "request.failed", path=request.scope["path"], error=type(error).__name__, exc_info=error
    )
    return problem_response(
        Problem(
            500, "internal-error", "something went wrong here; the operators' log has the details"
        )
    )
