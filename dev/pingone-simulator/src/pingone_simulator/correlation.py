"""PingOne names every exchange with a correlation id; so does the simulator."""

from collections.abc import Callable

import structlog
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CORRELATION_ID_HEADER = b"correlation-id"


class CorrelationId:
    """Pure ASGI middleware: a correlation id per request, in the log and on the response."""

    def __init__(self, app: ASGIApp, *, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the request, pass it on, and put the name on the response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation_id = self._new_id()
        scope.setdefault("state", {})["correlation_id"] = correlation_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                header = (CORRELATION_ID_HEADER, correlation_id.encode())
                message["headers"] = [*message.get("headers", []), header]
            await send(message)

        with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
            await self._app(scope, receive, send_with_id)


def correlation_id_of(request: Request) -> str:
    """Return the id that CorrelationId gave to this request."""
    correlation_id: str = request.state.correlation_id
    return correlation_id
