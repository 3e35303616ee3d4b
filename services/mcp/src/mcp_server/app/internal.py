"""The application of the internal port, which no ingress leads to."""

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from service_kit.cookies import CookiesApart
from service_kit.health import Lifecycle, health_routes
from service_kit.metrics import metrics_routes


def create_internal_app(lifecycle: Lifecycle, registry: CollectorRegistry) -> FastAPI:
    """Build the application of the internal port: /livez, /readyz, /metrics."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(health_routes(lifecycle))
    app.include_router(metrics_routes(registry))
    app.add_middleware(CookiesApart)
    return app
