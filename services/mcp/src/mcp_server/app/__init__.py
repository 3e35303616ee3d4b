"""Wires the service: what it opens, its public application, its internal one."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from mcp_server.app.internal import create_internal_app
from mcp_server.app.public import create_public_app, create_todo_server, run_public_app
from mcp_server.app.verification import create_verifier, follow_revocations
from mcp_server.handle_verifier import AiohttpIntrospector, FeedPulse
from mcp_server.settings import Settings
from mcp_server.todo_client import AiohttpTodoApi
from service_kit.health import Lifecycle
from service_kit.http_client import create_session
from service_kit.serving import Listener

__all__ = [
    "create_internal_app",
    "create_public_app",
    "create_todo_server",
    "create_verifier",
    "follow_revocations",
    "run_public_app",
    "run_service",
]


@asynccontextmanager
async def run_service(
    settings: Settings, lifecycle: Lifecycle
) -> AsyncIterator[Sequence[Listener]]:
    """Open the HTTP session, the feed and the SDK's session manager; yield the two listeners."""
    registry = CollectorRegistry()
    async with create_session() as session:
        introspector = AiohttpIntrospector(
            session,
            auth_internal_url=settings.auth_internal_url,
            client_id=settings.introspection_client_id,
            client_secret=settings.introspection_client_secret.get_secret_value(),
        )
        todo_api = AiohttpTodoApi(session, api_url=settings.api_url)
        pulse = FeedPulse(time.monotonic)
        verifier = create_verifier(settings, introspector, pulse, registry)
        async with (
            follow_revocations(settings, session, verifier, pulse, registry),
            run_public_app(settings, verifier, todo_api, registry) as public_app,
        ):
            host = settings.mcp_listen_host
            internal_app = create_internal_app(lifecycle, registry)
            yield [
                Listener(public_app, host, settings.mcp_port),
                Listener(internal_app, host, settings.mcp_internal_port),
            ]
