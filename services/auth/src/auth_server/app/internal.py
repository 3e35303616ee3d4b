"""The application of the internal port: introspection, revocations, health and metrics."""

from datetime import timedelta

from fastapi import FastAPI
from starlette.types import ASGIApp

from auth_server.app.rate_limits import internal_rate_limits
from auth_server.app.resources import Resources
from auth_server.endpoints.failures import install_failure_handlers
from auth_server.endpoints.introspect import introspect_routes
from auth_server.endpoints.rate_limits import LimitedResourceServers
from auth_server.endpoints.revocations import revocation_routes
from auth_server.flows.introspect_handle import IntrospectHandle
from auth_server.flows.refresh_times import RefreshTimes
from auth_server.flows.refresh_upstream import RefreshUpstream
from auth_server.flows.upstream_tokens import LiveUpstreamTokens
from auth_server.pages.rendering import Pages
from auth_server.settings import AuthSettings
from service_kit.cookies import CookiesApart
from service_kit.health import Lifecycle, health_routes
from service_kit.logging import RequestLog
from service_kit.metrics import metrics_routes


def create_internal_app(resources: Resources, lifecycle: Lifecycle) -> ASGIApp:
    """The application of the internal port; its streams end when the process drains."""
    return CookiesApart(RequestLog(create_internal_api(resources, lifecycle)))


def create_internal_api(resources: Resources, lifecycle: Lifecycle) -> FastAPI:
    """The routes of the internal application, without the middleware around them."""
    api = FastAPI(
        title="mcp-pingone auth, internal", docs_url=None, redoc_url=None, openapi_url=None
    )
    install_failure_handlers(api, Pages())
    live_tokens = live_upstream_tokens(resources, _refresh_times(resources.settings))
    introspect = IntrospectHandle(resources.database, live_tokens, resources.now)
    issuer = resources.settings.auth_public_url
    limits = internal_rate_limits(resources.settings, resources.rate_limiter)
    authenticate = LimitedResourceServers(resources.protected, limits)
    api.include_router(introspect_routes(authenticate, introspect, issuer))
    api.include_router(revocation_routes(authenticate, resources.revocation_feed))
    lifecycle.when_draining(resources.revocation_feed.drain)
    api.include_router(health_routes(lifecycle))
    api.include_router(metrics_routes(resources.registry))
    return api


def live_upstream_tokens(resources: Resources, times: RefreshTimes) -> LiveUpstreamTokens:
    """The downstream tokens of introspection."""
    refresh_upstream = RefreshUpstream(
        database=resources.database,
        pingone=resources.pingone,
        resources=resources.protected,
        revoke_grant=resources.revoke_grant,
        metrics=resources.upstream_metrics,
        times=times,
        now=resources.now,
    )
    return LiveUpstreamTokens(
        refresh_upstream, resources.revoke_grant, resources.background, times, resources.now
    )


def _refresh_times(settings: AuthSettings) -> RefreshTimes:
    return RefreshTimes(
        timeout=timedelta(seconds=settings.pingone_timeout_seconds),
        grace=timedelta(seconds=settings.pingone_refresh_grace_seconds),
        lease=settings.refresh_lease,
    )
