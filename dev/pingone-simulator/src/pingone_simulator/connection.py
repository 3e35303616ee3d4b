"""Resets a connection: the one thing that no ASGI application can do to its client."""

import contextlib
import socket
import struct
from collections.abc import Callable

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

_EXTENSION = "pingone_simulator.reset"
# SO_LINGER on, with no time: what is closed is not said goodbye to, but reset (RST).
_AT_ONCE = struct.pack("ii", 1, 0)


class ResettableConnections:
    """Offers the reset to what it wraps. It must be outermost: it looks for uvicorn's own send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the reset of its connection as an extension of the scope."""
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if scope["type"] == "http" and transport is not None:

            def reset() -> None:
                # A client that is gone already has no socket left.
                with contextlib.suppress(OSError, AttributeError):
                    connection = transport.get_extra_info("socket")
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                transport.abort()

            scope.setdefault("extensions", {})[_EXTENSION] = reset
        await self._app(scope, receive, send)


async def reset_connection(request: Request) -> None:
    """Reset the request's connection, and return when that is done.

    Without a connection, in a test that calls the application, raise ConnectionResetError.
    """
    reset: Callable[[], None] | None = request.scope.get("extensions", {}).get(_EXTENSION)
    if reset is None:
        raise ConnectionResetError("the connection was reset")
    reset()
    while (await request.receive())["type"] != "http.disconnect":
        pass
