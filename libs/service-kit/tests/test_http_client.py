"""Fetching JSON from a real server on loopback: bounded, without redirects, with a reason."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from service_kit.http_client import (
    MAX_JSON_BYTES,
    AiohttpJsonFetcher,
    FetchFailed,
    create_session,
    parse_json_object,
)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Answer], Awaitable[str]]

JSON = "application/json"


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server with one answer for every path; return its base URL."""
    servers: list[TestServer] = []

    async def start(answer: Answer) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        server = TestServer(app, host="127.0.0.1")
        servers.append(server)
        await server.start_server(shutdown_timeout=0)
        return str(server.make_url("")).rstrip("/")

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
async def fetch() -> AsyncIterator[AiohttpJsonFetcher]:
    async with create_session() as session:
        yield AiohttpJsonFetcher(session)


def answering(body: bytes, **options: object) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, **options)  # type: ignore[arg-type]

    return answer


async def test_a_json_object_is_fetched_by_get(serve: Serve, fetch: AiohttpJsonFetcher) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"method": request.method, "accept": request.headers["Accept"]})

    assert await fetch(await serve(answer)) == {"method": "GET", "accept": JSON}


async def test_the_media_type_is_not_asked_for(serve: Serve, fetch: AiohttpJsonFetcher) -> None:
    url = await serve(answering(b'{"keys": []}', content_type="application/octet-stream"))
    assert await fetch(url) == {"keys": []}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_refused_and_not_followed(
    serve: Serve, fetch: AiohttpJsonFetcher, status: int
) -> None:
    visited: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        visited.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"}, body=b"{}")

    url = f"{await serve(answer)}/jwks"
    with pytest.raises(FetchFailed) as failed:
        await fetch(url)
    assert str(failed.value) == f"{url} answered {status}"
    assert visited == ["/jwks"]


@pytest.mark.parametrize("status", [201, 204, 400, 404, 429, 500, 503])
async def test_any_status_but_200_is_a_failure_that_does_not_quote_the_body(
    serve: Serve, fetch: AiohttpJsonFetcher, status: int
) -> None:
    url = await serve(answering(b'{"error": "the-body"}', status=status))
    with pytest.raises(FetchFailed) as failed:
        await fetch(url)
    assert str(failed.value) == f"{url} answered {status}"


async def test_a_document_of_exactly_the_largest_size_is_read(
    serve: Serve, fetch: AiohttpJsonFetcher
) -> None:
    text = "x" * (MAX_JSON_BYTES - len(b'{"a": ""}'))
    assert await fetch(await serve(answering(f'{{"a": "{text}"}}'.encode()))) == {"a": text}


async def test_a_document_of_one_byte_more_is_refused(
    serve: Serve, fetch: AiohttpJsonFetcher
) -> None:
    text = "x" * (MAX_JSON_BYTES - len(b'{"a": ""}') + 1)
    url = await serve(answering(f'{{"a": "{text}"}}'.encode()))
    with pytest.raises(FetchFailed, match=f"^{url} answered more than {MAX_JSON_BYTES} bytes$"):
        await fetch(url)


async def test_a_small_answer_that_unpacks_to_a_large_one_is_refused(
    serve: Serve, fetch: AiohttpJsonFetcher
) -> None:
    packed = gzip.compress(b" " * (64 * MAX_JSON_BYTES))
    assert len(packed) < MAX_JSON_BYTES
    url = await serve(answering(packed, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(FetchFailed, match="answered more than"):
        await fetch(url)


async def test_an_answer_without_end_is_refused_at_the_limit(
    serve: Serve, fetch: AiohttpJsonFetcher
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 64 * 1024)

    with pytest.raises(FetchFailed, match="answered more than"):
        await fetch(await serve(answer))


@pytest.mark.parametrize("headers_first", [False, True])
async def test_a_server_that_takes_too_long_is_a_failure(serve: Serve, headers_first: bool) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if headers_first:
            await response.prepare(request)
            await response.write(b'{"keys":')
        await asyncio.Event().wait()
        return response

    url = await serve(answer)
    async with create_session(total_timeout_seconds=0.05) as session:
        with pytest.raises(FetchFailed, match=f"^{url} could not be reached: .*Timeout"):
            await AiohttpJsonFetcher(session)(url)


async def test_a_connection_that_breaks_halfway_is_a_failure(
    serve: Serve, fetch: AiohttpJsonFetcher
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"keys":')
        assert request.transport is not None
        request.transport.abort()
        return response

    url = await serve(answer)
    with pytest.raises(FetchFailed, match=f"^{url} could not be reached: Client"):
        await fetch(url)


async def test_a_broken_encoding_is_a_failure(serve: Serve, fetch: AiohttpJsonFetcher) -> None:
    url = await serve(answering(b"no gzip", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(FetchFailed, match="could not be reached"):
        await fetch(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/jwks", "nonsense", "ftp://127.0.0.1/", "http://", "http://[::1/"]
)
async def test_a_url_that_leads_nowhere_is_a_failure(fetch: AiohttpJsonFetcher, url: str) -> None:
    with pytest.raises(FetchFailed, match="could not be reached"):
        await fetch(url)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>the-body</html>",
        b'{"a": the-body}',
        b'{"a": "the-body"',
        b"\xff\xfe\xfd",
        b'{"a": "\xff"}',
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
)
async def test_what_is_not_json_or_too_deep_is_a_failure_that_does_not_quote_it(
    serve: Serve, fetch: AiohttpJsonFetcher, body: bytes
) -> None:
    url = await serve(answering(body, content_type=JSON))
    with pytest.raises(FetchFailed) as failed:
        await fetch(url)
    assert str(failed.value) == f"{url} did not answer JSON"


@pytest.mark.parametrize("body", [b"[]", b'[{"a": 1}]', b'"text"', b"1", b"null", b"true"])
def test_json_that_is_no_object_is_a_failure(body: bytes) -> None:
    with pytest.raises(FetchFailed, match=r"^https://as\.example did not answer a JSON object$"):
        parse_json_object("https://as.example", body)


async def test_a_session_keeps_no_cookies(serve: Serve) -> None:
    sent: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        sent.append(request.headers.get("Cookie"))
        response = web.json_response({})
        response.set_cookie("session", "abc")
        return response

    # A name, because cookie jars keep nothing of bare addresses anyway.
    url = (await serve(answer)).replace("127.0.0.1", "localhost")
    async with create_session() as session:
        fetch = AiohttpJsonFetcher(session)
        await fetch(url)
        await fetch(url)
    assert sent == [None, None]


async def test_a_session_ignores_proxies_of_the_environment(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    url = await serve(answering(b'{"a": 1}'))
    async with create_session() as session:
        assert await AiohttpJsonFetcher(session)(url) == {"a": 1}
