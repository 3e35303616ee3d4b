"""Browsers are told to come by https only where that is the public URL, and nowhere else."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from service_kit.https_only import https_only


async def fail(_request: Request) -> Response:
    raise RuntimeError("unexpected")


async def stream(_request: Request) -> Response:
    return StreamingResponse(iter(["a", "b"]))


async def answer(_request: Request) -> Response:
    return PlainTextResponse("a", headers={"X-Other": "b"})


ROUTES = [Route("/", answer), Route("/stream", stream), Route("/fail", fail)]


async def get(public_url: str, path: str) -> httpx.Response:
    app = https_only(Starlette(routes=ROUTES), public_url)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://a.example") as client:
        return await client.get(path)


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/stream", 200), ("/fail", 500), ("/none", 404)]
)
async def test_every_answer_says_that_the_host_is_https_only(path: str, status: int) -> None:
    response = await get("https://a.example", path)
    assert response.status_code == status
    assert response.headers.get_list("strict-transport-security") == ["max-age=63072000"]


@pytest.mark.parametrize("path", ["/", "/fail", "/none"])
async def test_in_development_nothing_is_said(path: str) -> None:
    response = await get("http://localhost:8080", path)
    assert "strict-transport-security" not in response.headers
