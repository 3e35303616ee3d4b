"""The application of the internal port: introspection, health and metrics."""

from fastapi import FastAPI
from starlette.types import ASGIApp

from auth_server.app.resources import Resources
from auth_server.endpoints.failures import install_failure_handlers
from auth_server.endpoints.introspect import introspect_routes
from auth_server.flows.introspect_handle import IntrospectHandle
from auth_server.flows.upstream_tokens import LiveUpstreamTokens, RefreshTimes
from auth_server.pages.rendering import Pages
from service_kit.health import Lifecycle, health_routes
from service_kit.logging import RequestLog
from service_kit.metrics import metrics_routes


def create_internal_app(resources: Resources, lifecycle: Lifecycle) -> ASGIApp:
    """The application of the internal port: introspection, health and metrics."""
    api = FastAPI(
        title="mcp-pingone auth, internal", docs_url=None, redoc_url=None, openapi_url=None
    )
    install_failure_handlers(api, Pages())
    introspect = IntrospectHandle(resources.database, _live_tokens(resources), resources.now)
    issuer = resources.settings.auth_public_url
    api.include_router(introspect_routes(resources.protected, introspect, issuer))
    api.include_router(health_routes(lifecycle))
    api.include_router(metrics_routes(resources.registry))
    return RequestLog(api)


def _live_tokens(resources: Resources) -> LiveUpstreamTokens:
    return LiveUpstreamTokens(
        database=resources.database,
        pingone=resources.pingone,
        resources=resources.protected,
        revoke_grant=resources.revoke_grant,
        background=resources.background,
        times=RefreshTimes(lease=resources.settings.refresh_lease),
        now=resources.now,
    )
