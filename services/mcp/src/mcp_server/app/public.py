"""The application of the public port: the resource's metadata and the MCP endpoint."""

import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from mcp.server.transport_security import TransportSecuritySettings
from prometheus_client import CollectorRegistry, Counter
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.app.rate_limits import open_rate_limits
from mcp_server.bearer import (
    BearerLayer,
    BodyLimits,
    Challenges,
    RateLimits,
    TransportRules,
    cross_origin,
)
from mcp_server.handle_verifier import HandleVerifier
from mcp_server.resource_metadata import (
    create_resource_metadata,
    resource_metadata_paths,
    resource_metadata_url,
)
from mcp_server.settings import MCP_PATH, Settings
from mcp_server.todo_client import TodoApi
from mcp_server.tools import TodoServer, create_server, protect_request_state
from service_kit.client_address import ClientAddress, parse_trusted_proxies
from service_kit.cookies import CookiesApart
from service_kit.errors import install_problem_handlers
from service_kit.fetch_metadata import ResourceIsolation
from service_kit.https_only import https_only
from service_kit.logging import RequestLog
from service_kit.metrics import RequestMetrics

DISTRIBUTION = "mcp-pingone-mcp"
RESOURCE_NAME = "Todos"


@asynccontextmanager
async def run_public_app(
    settings: Settings,
    verifier: HandleVerifier,
    todo_api: TodoApi,
    registry: CollectorRegistry,
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[ASGIApp]:
    """Yield the public application while the SDK's session manager runs behind it."""
    server = create_todo_server(settings, todo_api, registry)
    async with open_rate_limits(settings, registry, monotonic=monotonic) as limits:
        app = create_public_app(settings, server, verifier, limits, registry)
        async with server.session_manager.run():
            yield app


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
        request_state=protect_request_state(
            settings.request_state_keys, resource=settings.mcp_resource
        ),
    )


def create_public_app(
    settings: Settings,
    server: TodoServer,
    verifier: HandleVerifier,
    limits: RateLimits,
    registry: CollectorRegistry,
) -> ASGIApp:
    """Build the application of the public port: the metadata and the MCP endpoint.

    The caller runs `server.session_manager.run()` for as long as it serves this application.
    """
    resource = settings.mcp_resource
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    install_problem_handlers(app)
    metadata = create_resource_metadata(
        resource=resource, issuer=settings.auth_issuer, name=RESOURCE_NAME
    )
    endpoint = _create_mcp_endpoint(settings, server, verifier, limits)
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
    trusted = parse_trusted_proxies(settings.mcp_trusted_proxies)
    app.add_middleware(ClientAddress, trusted=trusted)
    app.add_middleware(CookiesApart)
    # Around everything: the framework answers what fails unexpectedly outside of its middleware.
    return https_only(app, resource)


class _NotedRoute(Route):
    """Leaves itself in the scope as FastAPI's own routes do: RequestMetrics takes its label there.

    A plain route, because FastAPI's cannot have an ASGI application as its endpoint.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note this route, then answer."""
        scope["route"] = self
        await super().handle(scope, receive, send)


def _create_mcp_endpoint(
    settings: Settings, server: TodoServer, verifier: HandleVerifier, limits: RateLimits
) -> ASGIApp:
    rules = TransportRules.for_resource(
        settings.mcp_resource,
        allowed_hosts=settings.mcp_allowed_hosts,
        allowed_origins=settings.mcp_allowed_origins,
        development=settings.development,
    )
    sdk_app = server.streamable_http_app(
        streamable_http_path=MCP_PATH,
        stateless_http=True,
        json_response=True,
        # The bearer layer bounds what arrives. Written anew it may be longer: 1e9 is 1000000000.0.
        max_request_body_size=sys.maxsize,
        transport_security=TransportSecuritySettings(
            allowed_hosts=list(rules.hosts), allowed_origins=list(rules.origins)
        ),
    )
    challenges = Challenges(
        resource_metadata_url=resource_metadata_url(settings.mcp_resource),
        minimal_scopes=settings.challenge_scopes,
    )
    layer = BearerLayer(
        sdk_app,
        path=MCP_PATH,
        verifier=verifier,
        rules=rules,
        challenges=challenges,
        body_limits=BodyLimits(settings.mcp_max_body_bytes, settings.mcp_max_depth),
        rate_limits=limits,
    )
    return ResourceIsolation(cross_origin(layer, rules), is_api=lambda _path: True)
