"""What each failure of the domain and the store is on the wire (RFC 9457)."""

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from service_kit.errors import Problem, problem_response
from todo_api.todo_store.database import StoreUnavailable
from todo_api.todos import TodoNotFound, TodoVersionMismatch, TooManyTodos

STORE_RETRY_AFTER_SECONDS = 5

_log = structlog.get_logger(__name__)


def install_todo_problems(app: FastAPI) -> None:
    """Teach the application to render what the endpoints let through."""
    app.add_exception_handler(TodoNotFound, _not_found)
    app.add_exception_handler(TodoVersionMismatch, _version_mismatch)
    app.add_exception_handler(TooManyTodos, _too_many)
    app.add_exception_handler(StoreUnavailable, _unavailable)


async def _not_found(_request: Request, _error: Exception) -> JSONResponse:
    return problem_response(Problem(404, "todo-not-found", "you have no such todo"))


async def _version_mismatch(_request: Request, _error: Exception) -> JSONResponse:
    detail = "the todo has changed since; get it again and decide anew"
    return problem_response(Problem(412, "todo-changed", detail))


async def _too_many(_request: Request, error: Exception) -> JSONResponse:
    detail = f"{error}; delete some first"
    return problem_response(Problem(409, "too-many-todos", detail))


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    # The kind of error only: its text may quote a statement.
    _log.warning("store.unavailable", reason=str(error), path=request.scope["path"])
    return problem_response(
        Problem(
            503,
            "store-unavailable",
            "todos cannot be read or written for now; try again later",
            headers={"Retry-After": str(STORE_RETRY_AFTER_SECONDS)},
        )
    )
