"""Liveness is that the process answers; readiness is between its start and its draining."""

import httpx
from fastapi import FastAPI

from service_kit.health import Lifecycle, health_routes


async def probe(lifecycle: Lifecycle, path: str) -> tuple[int, str]:
    app = FastAPI()
    app.include_router(health_routes(lifecycle))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as client:
        response = await client.get(path)
    return response.status_code, response.text


async def test_a_process_is_ready_from_its_start_until_it_drains_and_never_again() -> None:
    lifecycle = Lifecycle()
    assert await probe(lifecycle, "/readyz") == (503, "starting or draining\n")
    lifecycle.mark_started()
    assert await probe(lifecycle, "/readyz") == (200, "ready\n")
    lifecycle.mark_draining()
    assert await probe(lifecycle, "/readyz") == (503, "starting or draining\n")
    lifecycle.mark_started()
    assert await probe(lifecycle, "/readyz") == (503, "starting or draining\n")


async def test_a_process_is_alive_as_long_as_it_answers() -> None:
    lifecycle = Lifecycle()
    assert await probe(lifecycle, "/livez") == (200, "alive\n")
    lifecycle.mark_started()
    lifecycle.mark_draining()
    assert await probe(lifecycle, "/livez") == (200, "alive\n")


def test_the_probes_are_no_part_of_an_apis_description() -> None:
    app = FastAPI()
    app.include_router(health_routes(Lifecycle()))
    assert app.openapi()["paths"] == {}


def test_what_would_never_finish_is_told_once_when_the_process_drains() -> None:
    lifecycle = Lifecycle()
    told: list[str] = []
    lifecycle.when_draining(lambda: told.append("one"))
    lifecycle.when_draining(lambda: told.append("two"))
    lifecycle.mark_started()
    assert told == []
    lifecycle.mark_draining()
    lifecycle.mark_draining()
    assert told == ["one", "two"]
