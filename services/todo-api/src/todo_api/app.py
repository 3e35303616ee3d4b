"""Wires todo-api together: the one place where settings, clock and randomness come from."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from uuid_utils.compat import uuid7

from service_kit.body_limit import BodyLimit
from service_kit.cookies import CookiesApart
from service_kit.errors import install_problem_handlers
from service_kit.health import Lifecycle, health_routes
from service_kit.http_client import AiohttpJsonFetcher, JsonFetcher, create_session
from service_kit.jwks_cache import JwksCache, fixed_location
from service_kit.logging import RequestLog
from service_kit.metrics import RequestMetrics, metrics_routes
from service_kit.serving import Listener, Service
from todo_api.access_token import AccessTokenVerifier, DiscoveredJwks, Monotonic, Now
from todo_api.endpoints.bearer import ScopeNames
from todo_api.endpoints.documents import MAX_BODY_BYTES
from todo_api.endpoints.problems import install_todo_problems
from todo_api.endpoints.todos import todo_routes
from todo_api.settings import TodoApiSettings
from todo_api.todo_store.database import Database, StoreUnavailable
from todo_api.todo_store.store import TodoStore
from todo_api.todo_store.tables import todos

_log = structlog.get_logger(__name__)
_USUAL_SCOPES = ScopeNames()


class SchemaMissing(Exception):
    """The database has no tables. The text says what to do."""


def create_public_app(
    store: TodoStore,
    verifier: AccessTokenVerifier,
    registry: CollectorRegistry,
    scopes: ScopeNames = _USUAL_SCOPES,
) -> FastAPI:
    """Create the API that callers with a PingOne access token use."""
    app = FastAPI(title="todo-api", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(todo_routes(store, verifier, scopes))
    install_problem_handlers(app)
    install_todo_problems(app)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)
    app.add_middleware(RequestMetrics, registry=registry)
    app.add_middleware(RequestLog)
    app.add_middleware(CookiesApart)
    return app


def create_internal_app(lifecycle: Lifecycle, registry: CollectorRegistry) -> FastAPI:
    """Create the application for probes and Prometheus, on a port of its own."""
    app = FastAPI(title="todo-api internal", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(health_routes(lifecycle))
    app.include_router(metrics_routes(registry))
    install_problem_handlers(app)
    app.add_middleware(CookiesApart)
    return app


def create_verifier(
    settings: TodoApiSettings, fetch: JsonFetcher, *, now: Now, monotonic: Monotonic
) -> AccessTokenVerifier:
    """Create the verifier for the configured issuer and audience."""
    locate = (
        fixed_location(settings.api_jwks_uri)
        if settings.api_jwks_uri
        else DiscoveredJwks(fetch, settings.api_issuer, monotonic)
    )
    return AccessTokenVerifier(
        JwksCache(fetch, locate, monotonic),
        issuer=settings.api_issuer,
        audience=settings.api_audience,
        now=now,
    )


def create_service(settings: TodoApiSettings) -> Service:
    """Describe to serving.serve() what to open, what to listen on and what to close."""

    @asynccontextmanager
    async def service(lifecycle: Lifecycle) -> AsyncIterator[Sequence[Listener]]:
        async with AsyncExitStack() as resources:
            session = await resources.enter_async_context(create_session())
            database = Database.open(settings.todo_database_url.get_secret_value())
            resources.push_async_callback(database.close)
            await check_schema(database)
            store = TodoStore(
                database, new_id=uuid7, now=_now, max_per_owner=settings.todo_max_per_user
            )
            verifier = create_verifier(
                settings, AiohttpJsonFetcher(session), now=_now, monotonic=time.monotonic
            )
            registry = CollectorRegistry()
            host = settings.todo_listen_host
            scopes = ScopeNames(settings.api_read_scope, settings.api_write_scope)
            public = create_public_app(store, verifier, registry, scopes)
            yield [
                Listener(public, host, settings.todo_port),
                Listener(
                    create_internal_app(lifecycle, registry), host, settings.todo_internal_port
                ),
            ]

    return service


async def check_schema(database: Database) -> None:
    """Raise SchemaMissing when the database is there and its tables are not."""
    try:
        if await database.has_table(todos.name):
            return
    except StoreUnavailable as error:
        # A replica that starts during an outage serves 503 until the database is back.
        _log.warning("store.unavailable", reason=str(error))
        return
    raise SchemaMissing("The database has no tables yet; run: python -m todo_api migrate")


def _now() -> datetime:
    return datetime.now(UTC)
