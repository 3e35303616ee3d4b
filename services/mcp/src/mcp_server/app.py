"""Wires the service: what it opens, its public application, its internal one."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

import aiohttp
from fastapi import FastAPI
from mcp.server.transport_security import TransportSecuritySettings
from prometheus_client import CollectorRegistry, Counter, Gauge
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.bearer import (
    MAX_BODY_BYTES,
    BearerLayer,
    Challenges,
    TransportRules,
    cross_origin,
)
from mcp_server.handle_verifier import (
    AiohttpIntrospector,
    FeedPulse,
    HandleVerifier,
    Introspector,
    RevocationFeed,
)
from mcp_server.resource_metadata import (
    create_resource_metadata,
    resource_metadata_paths,
    resource_metadata_url,
)
from mcp_server.settings import MCP_PATH, Settings
from mcp_server.todo_client import AiohttpTodoApi, TodoApi
from mcp_server.tool_scopes import MINIMAL_SCOPES
from mcp_server.tools import TodoServer, create_server
from service_kit.background import BackgroundTasks
from service_kit.errors import install_problem_handlers
from service_kit.health import Lifecycle, health_routes
from service_kit.http_client import create_session
from service_kit.logging import RequestLog
from service_kit.metrics import RequestMetrics, metrics_routes
from service_kit.serving import Listener

DISTRIBUTION = "mcp-pingone-mcp"
RESOURCE_NAME = "Todos"


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


@asynccontextmanager
async def run_public_app(
    settings: Settings, verifier: HandleVerifier, todo_api: TodoApi, registry: CollectorRegistry
) -> AsyncIterator[FastAPI]:
    """Yield the public application while the SDK's session manager runs behind it."""
    server = create_todo_server(settings, todo_api, registry)
    app = create_public_app(settings, server, verifier, registry)
    async with server.session_manager.run():
        yield app


def create_verifier(
    settings: Settings, introspector: Introspector, pulse: FeedPulse, registry: CollectorRegistry
) -> HandleVerifier:
    """Create the verifier for handles of MCP_RESOURCE issued by AUTH_ISSUER."""
    introspections = Counter(
        "mcp_introspections_total",
        "Handles verified, by outcome: hit (remembered), live, inactive, outage.",
        ["outcome"],
        registry=registry,
    )
    return HandleVerifier(
        introspector,
        resource=settings.mcp_resource,
        issuer=settings.auth_issuer,
        cache_seconds=settings.mcp_introspection_cache_seconds,
        now=time.time,
        monotonic=time.monotonic,
        hears_revocations=pulse.is_alive,
        count=lambda outcome: introspections.labels(outcome).inc(),
    )


@asynccontextmanager
async def follow_revocations(
    settings: Settings,
    session: aiohttp.ClientSession,
    verifier: HandleVerifier,
    pulse: FeedPulse,
    registry: CollectorRegistry,
) -> AsyncIterator[None]:
    """Follow auth's feed in the background. Whatever becomes of it, nobody waits for it."""
    connected = Gauge(
        "mcp_revocation_feed_connected",
        "1 while auth would tell of a revocation; otherwise answers are used for a second only.",
        registry=registry,
    )
    connected.set_function(pulse.is_alive)
    events = Counter(
        "mcp_revocation_feed_events_total",
        "Events of auth's feed: ready, revoked, malformed.",
        ["event"],
        registry=registry,
    )
    feed = RevocationFeed(
        session,
        auth_internal_url=settings.auth_internal_url,
        client_id=settings.introspection_client_id,
        client_secret=settings.introspection_client_secret.get_secret_value(),
        verifier=verifier,
        pulse=pulse,
        count=lambda event: events.labels(event).inc(),
        monotonic=time.monotonic,
        jitter=random.random,
    )
    following = BackgroundTasks().start(feed.follow(), name="revocation-feed")
    try:
        yield
    finally:
        following.cancel()
        await asyncio.wait([following])


def create_todo_server(
    settings: Settings, todo_api: TodoApi, registry: CollectorRegistry
) -> TodoServer:
    """Create the MCP server and its metrics."""
    calls = Counter(
        "mcp_tool_calls_total",
        "Tool calls by tool and outcome.",
        ["tool", "outcome"],
        registry=registry,
    )
    refusals = Counter(
        "mcp_downstream_token_refusals_total",
        "Downstream tokens the API answered 401, by what a fresh introspection led to.",
        ["outcome"],
        registry=registry,
    )
    return create_server(
        todo_api,
        version=version(DISTRIBUTION),
        reveal_downstream_token=settings.reveal_downstream_token,
        count_call=lambda tool, outcome: calls.labels(tool, outcome).inc(),
        count_refusal=lambda outcome: refusals.labels(outcome).inc(),
    )


def create_public_app(
    settings: Settings, server: TodoServer, verifier: HandleVerifier, registry: CollectorRegistry
) -> FastAPI:
    """Build the application of the public port: the metadata and the MCP endpoint.

    The caller runs `server.session_manager.run()` for as long as it serves this application.
    """
    resource = settings.mcp_resource
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    install_problem_handlers(app)
    metadata = create_resource_metadata(
        resource=resource, issuer=settings.auth_issuer, name=RESOURCE_NAME
    )
    endpoint = _create_mcp_endpoint(settings, server, verifier)
    app.router.routes += [
        *(
            _NotedRoute(path, metadata, methods=["GET", "OPTIONS"])
            for path in resource_metadata_paths(resource)
        ),
        # Every method reaches the endpoint, which has its own words for those it does not take.
        *(_NotedRoute(path, endpoint) for path in (MCP_PATH, f"{MCP_PATH}/")),
    ]
    app.add_middleware(RequestMetrics, registry=registry)
    app.add_middleware(RequestLog)
    return app


class _NotedRoute(Route):
    """Leaves itself in the scope as FastAPI's own routes do: RequestMetrics takes its label there.

    A plain route, because FastAPI's cannot have an ASGI application as its endpoint.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note this route, then answer."""
        scope["route"] = self
        await super().handle(scope, receive, send)


def _create_mcp_endpoint(
    settings: Settings, server: TodoServer, verifier: HandleVerifier
) -> ASGIApp:
    rules = TransportRules.for_resource(
        settings.mcp_resource,
        allowed_origins=settings.mcp_allowed_origins,
        development=settings.development,
    )
    sdk_app = server.streamable_http_app(
        streamable_http_path=MCP_PATH,
        stateless_http=True,
        json_response=True,
        max_request_body_size=MAX_BODY_BYTES,
        transport_security=TransportSecuritySettings(
            allowed_hosts=list(rules.hosts), allowed_origins=list(rules.origins)
        ),
    )
    challenges = Challenges(
        resource_metadata_url=resource_metadata_url(settings.mcp_resource),
        minimal_scopes=MINIMAL_SCOPES,
    )
    layer = BearerLayer(
        sdk_app, path=MCP_PATH, verifier=verifier, rules=rules, challenges=challenges
    )
    return cross_origin(layer, rules)


def create_internal_app(lifecycle: Lifecycle, registry: CollectorRegistry) -> FastAPI:
    """Build the application of the internal port: /livez, /readyz, /metrics."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(health_routes(lifecycle))
    app.include_router(metrics_routes(registry))
    return app
