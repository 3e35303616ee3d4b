"""No body larger than the limit is read, whatever the headers or the framework say about it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Form, Request
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from service_kit.body_limit import BodyLimit
from service_kit.errors import install_problem_handlers

LIMIT = 64


class Note(BaseModel):
    """A body FastAPI reads and checks by itself."""

    text: str


def create_app(*, handlers: bool = True) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)
    if handlers:
        install_problem_handlers(app)

    @app.post("/notes")
    async def create(note: Note) -> int:
        return len(note.text)

    @app.post("/form")
    async def submit(text: Annotated[str, Form()]) -> int:
        return len(text)

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.post("/careless")
    async def careless(request: Request) -> str:
        try:
            await request.body()
        except Exception:  # noqa: BLE001  (what a careless application does)
            return "fine"
        return "read"

    @app.post("/confused")
    async def confused(request: Request) -> None:
        try:
            await request.body()
        except Exception:  # noqa: BLE001  (what a confused application does)
            raise RuntimeError("confused") from None

    app.add_middleware(BodyLimit, max_bytes=LIMIT)
    return app


async def post(app: ASGIApp, path: str, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.post(path, **options)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def json_of(size: int) -> bytes:
    return b'{"text":"' + b"x" * (size - len(b'{"text":""}')) + b'"}'


def assert_too_large(response: httpx.Response) -> None:
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "urn:problem:content-too-large",
        "title": response.json()["title"],  # the phrase differs between versions of Python
        "status": 413,
        "detail": f"the request body may have at most {LIMIT} bytes",
    }


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}


async def test_a_body_of_exactly_the_limit_is_read() -> None:
    response = await post(create_app(), "/notes", content=json_of(LIMIT), headers=JSON)
    assert (response.status_code, response.json()) == (200, LIMIT - len('{"text":""}'))


@pytest.mark.parametrize("handlers", [True, False])
async def test_a_json_body_of_one_byte_more_is_answered_413(handlers: bool) -> None:
    app = create_app(handlers=handlers)
    with capture_logs() as logs:
        assert_too_large(await post(app, "/notes", content=json_of(LIMIT + 1), headers=JSON))
    assert logs == [], "a caller's mistake is no failure of ours"


@pytest.mark.parametrize(
    ("path", "headers", "content"),
    [
        ("/form", FORM, b"text=" + b"x" * LIMIT),
        ("/form", MULTIPART, b"--b\r\n" + b"x" * LIMIT),
        ("/raw", {}, b"x" * (LIMIT + 1)),
        ("/careless", {}, b"x" * (LIMIT + 1)),
        ("/confused", {}, b"x" * (LIMIT + 1)),
    ],
)
async def test_any_other_body_that_is_too_large_is_answered_413(
    path: str, headers: dict[str, str], content: bytes
) -> None:
    with capture_logs():  # of the confused application's failure
        assert_too_large(await post(create_app(), path, content=content, headers=headers))


async def test_a_chunked_body_without_a_length_is_counted() -> None:
    app = create_app()
    small = await post(app, "/raw", content=chunks(b"x" * 32, b"x" * 32))
    assert (small.status_code, small.json()) == (200, LIMIT)
    assert_too_large(await post(app, "/raw", content=chunks(b"x" * 32, b"x" * 32, b"x")))


@pytest.mark.parametrize("claimed", ["0", "1", "64", "-1", "nonsense", "999999999"])
async def test_a_content_length_that_lies_changes_nothing(claimed: str) -> None:
    headers = {"Content-Length": claimed, **JSON}
    app = create_app()
    large = await post(app, "/notes", content=chunks(json_of(LIMIT + 1)), headers=headers)
    assert_too_large(large)
    fitting = await post(app, "/notes", content=chunks(json_of(LIMIT)), headers=headers)
    assert fitting.status_code == 200


async def test_no_more_is_taken_from_the_network_than_shows_that_it_is_too_much() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 16
            yield b"x" * 16

    assert_too_large(await post(create_app(), "/raw", content=endless()))
    assert taken <= LIMIT + 32


async def test_a_body_nobody_reads_is_nobodys_problem() -> None:
    response = await post(create_app(), "/missing", content=b"x" * 1000)
    assert response.status_code == 404


async def run(app: ASGIApp, scope: Scope, *bodies: bytes) -> list[Message]:
    """Run the middleware around app without a framework; return what it sends."""
    waiting: list[Message] = [
        {"type": "http.request", "body": body, "more_body": True} for body in bodies
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await BodyLimit(app, max_bytes=4)(scope, receive, send)
    return sent


HTTP: Scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
START: Message = {"type": "http.response.start", "status": 200, "headers": []}


async def test_an_answer_that_has_begun_is_broken_off_rather_than_followed_by_another() -> None:
    sent: list[Message] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        while True:
            await receive()

    async def note(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"xxx", "more_body": True}

    with pytest.raises(Exception, match="413"):
        await BodyLimit(app, max_bytes=4)(HTTP, receive, note)
    assert sent == [START]


async def test_an_application_without_a_framework_is_answered_for() -> None:
    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        while True:
            await receive()

    start, _body = await run(app, HTTP, b"xxx", b"xx")
    assert start["status"] == 413


async def test_what_is_read_after_the_limit_is_refused_again() -> None:
    refusals: list[str] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        for _ in range(3):
            try:
                await receive()
            except Exception as error:  # noqa: BLE001  (whatever the kit raises)
                refusals.append(type(error).__name__)

    start, _body = await run(app, HTTP, b"xxxxx", b"", b"")
    assert start["status"] == 413
    assert len(refusals) == 3


async def test_what_is_no_http_request_is_not_counted() -> None:
    received: list[Message] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        received.append(await receive())

    assert await run(app, {"type": "websocket"}, b"xxxxxxxx") == []
    assert len(received) == 1


@pytest.mark.parametrize("path", ["/notes", "/raw"])
async def test_a_body_that_does_not_arrive_in_time_is_408(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'{"text"'
        await asyncio.Event().wait()

    monkeypatch.setattr("service_kit.body_limit.READ_SECONDS", 0.01)
    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.post(
            path, content=endless(), headers={"content-type": "application/json"}
        )
    assert response.status_code == 408
    assert response.headers["content-type"] == "application/problem+json"
