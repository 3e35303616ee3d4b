"""Requests are counted by route, method and status, in a number of series no caller decides."""

from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry, Counter
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from service_kit.errors import Problem, install_problem_handlers
from service_kit.metrics import UNMATCHED, RequestMetrics, metrics_routes


def create_app(registry: CollectorRegistry, **options: Any) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    install_problem_handlers(app)
    todos = APIRouter(prefix="/api/todos")

    @todos.get("/{todo_id}")
    async def read(todo_id: int) -> int:
        if todo_id == 404:
            raise Problem(404, "todo-not-found", "you have no such todo")
        return todo_id

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("broken")

    app.include_router(todos)
    app.add_middleware(RequestMetrics, registry=registry, **options)
    return app


async def count(*requests: tuple[str, str]) -> dict[tuple[str, str, str], float]:
    """Send the requests; return the counter's series as (method, route, status)."""
    registry = CollectorRegistry()
    transport = httpx.ASGITransport(create_app(registry), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for method, path in requests:
            await client.request(method, path)
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "http_requests_total"
    }


async def test_the_route_is_its_template_whatever_the_path_and_query() -> None:
    assert await count(
        ("GET", "/api/todos/1"), ("GET", "/api/todos/2?secret=x"), ("GET", "/api/todos/404")
    ) == {
        ("GET", "/api/todos/{todo_id}", "200"): 2,
        ("GET", "/api/todos/{todo_id}", "404"): 1,
    }


async def test_invalid_input_and_a_wrong_method_count_for_their_route() -> None:
    assert await count(("GET", "/api/todos/x"), ("DELETE", "/api/todos/1")) == {
        ("GET", "/api/todos/{todo_id}", "422"): 1,
        ("DELETE", "/api/todos/{todo_id}", "405"): 1,
    }


async def test_paths_without_a_route_are_one_series() -> None:
    assert await count(*[("GET", f"/wp-admin/{number}") for number in range(20)]) == {
        ("GET", UNMATCHED, "404"): 20
    }


async def test_methods_nobody_knows_are_one_series() -> None:
    assert await count(*[(f"HACK{number}", "/api/todos/1") for number in range(20)]) == {
        ("other", "/api/todos/{todo_id}", "405"): 20
    }


async def test_a_failure_counts_as_500() -> None:
    with capture_logs():
        assert await count(("GET", "/broken")) == {("GET", "/broken", "500"): 1}


async def test_an_application_that_fails_without_an_answer_counts_as_500_and_fails_on() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("broken")

    registry = CollectorRegistry()
    transport = httpx.ASGITransport(RequestMetrics(app, registry=registry))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        with pytest.raises(RuntimeError, match="broken"):
            await client.get("/")
    labels = {"method": "GET", "route": UNMATCHED, "status": "500"}
    assert registry.get_sample_value("http_requests_total", labels) == 1


async def test_the_duration_is_measured_by_the_given_clock() -> None:
    registry = CollectorRegistry()
    app = create_app(registry, monotonic=iter([5.0, 5.25]).__next__)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as client:
        await client.get("/api/todos/1")
    labels = {"method": "GET", "route": "/api/todos/{todo_id}"}
    name = "http_request_duration_seconds"
    assert registry.get_sample_value(f"{name}_sum", labels) == 0.25
    assert registry.get_sample_value(f"{name}_count", labels) == 1


async def test_what_is_no_http_request_passes_uncounted() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    registry = CollectorRegistry()
    await RequestMetrics(app, registry=registry)({"type": "lifespan"}, _unused, _unused)
    assert seen == ["lifespan"]
    assert registry.get_sample_value("http_requests_total") is None


async def _unused(*_: Any) -> Any:
    raise AssertionError("nothing is received or sent")


async def test_metrics_are_served_in_prometheus_text_format() -> None:
    registry = CollectorRegistry()
    Counter("todos", "Todos made.", registry=registry).inc(3)
    app = FastAPI()
    app.include_router(metrics_routes(registry))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as client:
        response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert response.headers["content-type"].count("charset") == 1
    assert "todos_total 3.0" in response.text
    assert "/metrics" not in app.openapi()["paths"]
