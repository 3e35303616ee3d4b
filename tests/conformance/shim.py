"""`python -m conformance.shim`: one more replica of the MCP server, which adds a handle by itself.

The suite can send no credentials. Here the service's whole public application, served as always,
gets an Authorization header with each request. Nothing else is touched: what the suite sends (Host,
Origin, repeated headers, bodies) arrives as it was sent, and what it receives is what any client
would.
"""

import functools
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.app import run_service
from mcp_server.settings import Settings
from service_kit.health import Lifecycle
from service_kit.logging import configure_logging
from service_kit.serving import Listener, serve
from service_kit.settings import read_settings_or_exit

HANDLE_VARIABLE = "CONFORMANCE_HANDLE"


class BearerShim:
    """Pure ASGI middleware: every request is sent with the same handle."""

    def __init__(self, app: ASGIApp, raw_handle: str) -> None:
        self._app = app
        self._authorization = (b"authorization", f"Bearer {raw_handle}".encode("ascii"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with one header more."""
        headers = [*scope["headers"], self._authorization]
        await self._app({**scope, "headers": headers}, receive, send)


@asynccontextmanager
async def _run_behind_shim(
    settings: Settings, raw_handle: str, lifecycle: Lifecycle
) -> AsyncIterator[Sequence[Listener]]:
    async with run_service(settings, lifecycle) as (public, internal):
        shim = BearerShim(public.app, raw_handle)
        yield [Listener(shim, public.host, public.port), internal]


def main() -> None:
    """Serve until told to stop; in development only, because nobody has to sign in here."""
    settings = read_settings_or_exit(Settings)
    if not settings.development:
        raise SystemExit("the bearer shim serves loopback http only: MCP_RESOURCE is not that")
    configure_logging(service="mcp", development=True)
    logging.getLogger("mcp").setLevel(logging.WARNING)
    serve(functools.partial(_run_behind_shim, settings, os.environ[HANDLE_VARIABLE]))


if __name__ == "__main__":
    main()
