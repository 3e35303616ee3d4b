"""One line per request, with an id that its other lines and its answer share, and no query."""

import asyncio
import re
from typing import Any

import httpx
import pytest
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from service_kit.logging import MAX_PATH_LENGTH, RequestLog


async def answer_200(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RuntimeError("broken")


def clock(*readings: float) -> Any:
    return iter(readings).__next__


async def get(app: ASGIApp, path: str = "/") -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path)


async def test_a_request_is_one_line_without_its_query() -> None:
    app = RequestLog(answer_200, monotonic=clock(10.0, 10.01234))
    with capture_logs() as logs:
        await get(app, "/callback?code=a1b2&state=c3d4")
    assert logs == [
        {
            "event": "request",
            "method": "GET",
            "path": "/callback",
            "status": 200,
            "milliseconds": 12.3,
            "log_level": "info",
        }
    ]


async def test_the_answer_keeps_its_headers_and_has_the_requests_id() -> None:
    first, second = await get(RequestLog(answer_200)), await get(RequestLog(answer_200))
    assert first.headers["x-own"] == "1"
    assert re.fullmatch("[0-9a-f]{32}", first.headers["x-request-id"])
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_every_line_of_a_request_has_its_id_and_no_line_after_it_has() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        structlog.get_logger("app").info("inside")
        await answer_200(scope, receive, send)

    with capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        response = await get(RequestLog(app))
        structlog.get_logger("app").info("outside")
    assert [(line["event"], line.get("request_id")) for line in logs] == [
        ("inside", response.headers["x-request-id"]),
        ("request", response.headers["x-request-id"]),
        ("outside", None),
    ]


async def test_a_callers_own_request_id_is_not_taken_over() -> None:
    transport = httpx.ASGITransport(RequestLog(answer_200))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.get("/", headers={"X-Request-Id": "forged"})
    assert response.headers.get_list("x-request-id") != ["forged"]
    assert len(response.headers.get_list("x-request-id")) == 1


async def test_requests_at_the_same_time_keep_their_own_ids() -> None:
    both_inside = asyncio.Barrier(2)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await both_inside.wait()
        structlog.get_logger("app").info("inside", path=scope["path"])
        await answer_200(scope, receive, send)

    with capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        a, b = await asyncio.gather(get(RequestLog(app), "/a"), get(RequestLog(app), "/b"))
    assert {(line["path"], line["request_id"]) for line in logs} == {
        ("/a", a.headers["x-request-id"]),
        ("/b", b.headers["x-request-id"]),
    }


async def test_a_request_that_fails_is_logged_as_500_and_the_failure_goes_on() -> None:
    with capture_logs() as logs, pytest.raises(RuntimeError, match="broken"):
        await RequestLog(fail)({"type": "http", "method": "GET", "path": "/"}, _no_message, _ignore)
    assert [(line["event"], line["status"]) for line in logs] == [("request", 500)]


async def test_a_path_in_the_log_is_bounded() -> None:
    with capture_logs() as logs:
        await get(RequestLog(answer_200), "/" + "x" * 10_000)
    assert len(logs[0]["path"]) == MAX_PATH_LENGTH


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_what_is_no_http_request_passes_unchanged(kind: str) -> None:
    seen: list[tuple[Scope, Receive, Send]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope, receive, send))

    with capture_logs() as logs:
        await RequestLog(app)({"type": kind}, _no_message, _ignore)
    assert seen == [({"type": kind}, _no_message, _ignore)]
    assert logs == []


async def _no_message() -> Message:
    raise AssertionError("nothing is to be received")


async def _ignore(_message: Message) -> None:
    pass
