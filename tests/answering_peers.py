"""An HTTP server that answers what a test tells it, and remembers what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from service_kit.http_client import create_session

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Peer:
    """A server that answers what it is told and remembers what it was asked."""

    url: str
    session: aiohttp.ClientSession
    requests: list[dict[str, Any]] = field(default_factory=list)


@asynccontextmanager
async def peer(answer: Handler, *, timeout_seconds: float = 5.0) -> AsyncIterator[Peer]:
    """Run a server that answers every request with `answer`."""
    app = web.Application()
    server = TestServer(app)
    async with create_session(total_timeout_seconds=timeout_seconds) as session:
        found = Peer("", session)

        async def remember(request: web.Request) -> web.StreamResponse:
            found.requests.append(
                {
                    "method": request.method,
                    "path": request.raw_path,
                    "headers": request.headers.copy(),
                    "body": await request.text(),
                }
            )
            return await answer(request)

        app.router.add_route("*", "/{path:(?s:.*)}", remember)
        async with server:
            found.url = f"http://127.0.0.1:{server.port}"
            yield found


def answering(status: int, document: Any, **headers: str) -> Handler:
    """Always give this answer; a document that is not bytes is sent as JSON."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def hang(_request: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection instead of an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
