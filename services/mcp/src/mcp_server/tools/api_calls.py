"""How a tool reaches the API: as the caller, with its scopes, and once more after a 401."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

import structlog
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

from mcp_server.handle_verifier import (
    Caller,
    HandleInactive,
    IntrospectionUnavailable,
    attached_caller,
)
from mcp_server.todo_client import (
    DownstreamScopeRefused,
    DownstreamTokenRefused,
    TodoApiError,
    TodoApiUnavailable,
    TodoConflict,
    TodoInvalid,
    TodoNotFound,
)
from mcp_server.tool_scopes import TOOL_SCOPES

CountRefusal = Callable[[Literal["recovered", "final"]], None]
AnswerT = TypeVar("AnswerT")

_log = structlog.get_logger(__name__)

_TRY_LATER = "The todo service cannot be reached right now. Try again in a minute."
_SIGN_IN_AGAIN = (
    "The todo service does not accept the user's session any more. The user has to sign in again"
    " and connect this server anew; retrying will not help."
)


class ToolFailure(ToolError):
    """A failure the model can act on. The text is shown to it as it stands."""


def authorized_caller(ctx: Context[Any, Any], tool: str) -> Caller:
    """Return who calls; raise ToolFailure unless the handle has every scope the tool needs."""
    request = ctx.request_context.request
    caller = attached_caller({} if request is None else request.scope)
    lacking = TOOL_SCOPES[tool] - caller.handle.scopes
    if lacking:
        raise ToolFailure(f"The user has not granted what this needs: {' '.join(sorted(lacking))}")
    return caller


async def call_api(
    caller: Caller, call: Callable[[str], Awaitable[AnswerT]], count_refusal: CountRefusal
) -> AnswerT:
    """Make one API call with the caller's downstream token; raise ToolFailure."""
    try:
        try:
            return await call(caller.handle.downstream_token.access_token)
        except DownstreamTokenRefused:
            return await _once_more(caller, call, count_refusal)
    except TodoApiError as error:
        raise ToolFailure(_explain(error)) from error


async def _once_more(
    caller: Caller, call: Callable[[str], Awaitable[AnswerT]], count_refusal: CountRefusal
) -> AnswerT:
    """Ask auth anew and repeat. No third time, and no challenge: the handle itself is fine."""
    try:
        await caller.renew()
        answer = await call(caller.handle.downstream_token.access_token)
    except IntrospectionUnavailable:
        raise ToolFailure(_TRY_LATER) from None
    except HandleInactive:
        raise ToolFailure(_SIGN_IN_AGAIN) from None
    except DownstreamTokenRefused:
        count_refusal("final")
        _log.warning("downstream_token.refused_twice", client_id=caller.handle.client_id)
        raise
    count_refusal("recovered")
    return answer


def _explain(error: TodoApiError) -> str:
    """Say what happened and what to do next, in words for a model."""
    detail = f" {error.detail.rstrip('.')}." if error.detail else ""
    match error:
        case TodoNotFound():
            return "There is no such todo. Call list_todos for the ids there are."
        case TodoConflict():
            return f"The todo service refused.{detail} If there are too many todos, delete some."
        case TodoInvalid():
            return f"The todo service does not accept this.{detail} Correct the arguments."
        case DownstreamTokenRefused():
            return _SIGN_IN_AGAIN
        case DownstreamScopeRefused():
            return "The user's account may not do this at the todo service; retrying will not help."
        case TodoApiUnavailable():
            _log.warning("todo_api.unavailable", reason=error.detail)
    return _TRY_LATER
