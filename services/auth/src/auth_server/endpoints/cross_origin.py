"""CORS for what browser-based clients fetch: any origin, never credentials, never a page."""

from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from auth_server.endpoints.browser_requests import API_PATHS

CROSS_ORIGIN_PATHS: Final = API_PATHS | {"/.well-known/oauth-authorization-server"}


class CrossOrigin:
    """Pure ASGI middleware: CORS on CROSS_ORIGIN_PATHS, untouched responses everywhere else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "mcp-protocol-version"],
            expose_headers=["www-authenticate", "retry-after"],
            max_age=3600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with or without CORS."""
        is_open = scope["type"] == "http" and scope["path"] in CROSS_ORIGIN_PATHS
        await (self._open if is_open else self._app)(scope, receive, send)
