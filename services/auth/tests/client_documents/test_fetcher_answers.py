"""The fetcher against a real TLS server that answers whatever a stranger may answer."""

import asyncio
import gzip
import socket
from collections.abc import Callable
from datetime import timedelta

import pytest
from tls_document_host import (
    DOCUMENT,
    GOOD,
    LOCAL,
    MAX_BYTES,
    URL,
    DocumentHost,
    Names,
    Respond,
    answer,
    unavailable,
)

from auth_server.client_documents.fetcher import HttpDocuments

Open = Callable[..., HttpDocuments]


@pytest.mark.standard("CIMD draft 5 redirects")
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temp", "308 Perm"])
async def test_a_redirect_is_a_failure_and_not_followed(
    host: DocumentHost, open_fetcher: Open, status: str
) -> None:
    names = Names([LOCAL])
    host.respond = answer(GOOD, status=status, Location=f"https://127.0.0.1:{host.port}/")
    with unavailable("status 30"):
        await open_fetcher(names)(URL, max_bytes=MAX_BYTES)
    assert host.connections == len(names.asked) == 1


@pytest.mark.standard("CIMD draft 5 status")
@pytest.mark.parametrize("status", ["201 Created", "203 X", "206 P", "404 N", "500 I"])
async def test_only_status_200_will_do(host: DocumentHost, open_fetcher: Open, status: str) -> None:
    host.respond = answer(GOOD, status=status)
    with unavailable("status"):
        await open_fetcher()(URL, max_bytes=MAX_BYTES)


@pytest.mark.parametrize(
    "content_type",
    [None, "text/html", "text/plain", "application/javascript", "application/jsonx", "text/json"],
)
async def test_what_does_not_say_that_it_is_json_is_refused(
    host: DocumentHost, open_fetcher: Open, content_type: str | None
) -> None:
    host.respond = answer(GOOD, content_type=content_type)
    with unavailable("JSON"):
        await open_fetcher()(URL, max_bytes=MAX_BYTES)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=utf-8", "application/cimd+json"],
)
async def test_json_under_its_other_names_is_read(
    host: DocumentHost, open_fetcher: Open, content_type: str
) -> None:
    host.respond = answer(GOOD, content_type=content_type)
    assert (await open_fetcher()(URL, max_bytes=MAX_BYTES)).content == DOCUMENT


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"42",
        b"{",
        GOOD + b"x",
        b'{"client_id": NaN}',
        b'{"client_id": 1, "client_id": 2}',
        b'{"jwks": {"keys": [], "keys": []}}',
        b'{"name": "\xff"}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"[" * 5000,
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
        b'{"a":' * 17 + b"1" + b"}" * 17,
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
)
async def test_what_is_not_one_plain_json_object_is_refused(
    host: DocumentHost, open_fetcher: Open, body: bytes
) -> None:
    host.respond = answer(body)
    with unavailable():
        await open_fetcher()(URL, max_bytes=10_000)


@pytest.mark.standard("CIMD draft 8.7")
async def test_a_document_of_the_largest_size_is_read_and_a_byte_more_is_refused(
    host: DocumentHost, open_fetcher: Open
) -> None:
    largest = GOOD + b" " * (MAX_BYTES - len(GOOD))
    host.respond = answer(largest)
    assert (await open_fetcher()(URL, max_bytes=MAX_BYTES)).content == DOCUMENT
    host.respond = answer(largest + b" ")
    with unavailable("announced"):
        await open_fetcher()(URL, max_bytes=MAX_BYTES)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a_compressed_answer_is_refused_and_never_unpacked(
    host: DocumentHost, open_fetcher: Open, encoding: str
) -> None:
    bomb = gzip.compress(b'{"a": "' + b"a" * 2_000_000 + b'"}')
    host.respond = answer(bomb[:MAX_BYTES], Content_Encoding=encoding)
    with unavailable("encoding"):
        await open_fetcher()(URL, max_bytes=MAX_BYTES)


async def test_an_endless_body_is_given_up_at_the_bound(
    host: DocumentHost, open_fetcher: Open
) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
        while True:
            writer.write(b" " * 1024)
            await writer.drain()
            await asyncio.sleep(0)

    host.respond = endless
    with unavailable("more than 5120 bytes"):
        await open_fetcher()(URL, max_bytes=MAX_BYTES)


async def hang_before_headers(_writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def hang_in_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: app")
    await writer.drain()
    await asyncio.Event().wait()


async def hang_in_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
    await writer.drain()
    await asyncio.Event().wait()


@pytest.mark.parametrize("hang", [hang_before_headers, hang_in_headers, hang_in_body])
async def test_a_host_that_takes_too_long_is_given_up(
    host: DocumentHost, open_fetcher: Open, hang: Respond
) -> None:
    host.respond = hang
    with unavailable("in time"):
        await open_fetcher(timeout_seconds=0.3)(URL, max_bytes=MAX_BYTES)


async def test_a_name_server_that_takes_too_long_is_given_up(open_fetcher: Open) -> None:
    names = Names([LOCAL])
    names.hangs = True
    with unavailable("in time"):
        await open_fetcher(names, timeout_seconds=0.1)(URL, max_bytes=MAX_BYTES)


async def test_a_host_that_accepts_and_never_speaks_tls_is_given_up(open_fetcher: Open) -> None:
    with socket.create_server((LOCAL, 0)) as silent:
        fetch = open_fetcher(timeout_seconds=0.3, port=silent.getsockname()[1])
        with unavailable("in time"):
            await fetch(URL, max_bytes=MAX_BYTES)


@pytest.mark.parametrize(
    "head",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"a" * 10_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    ],
)
async def test_what_is_not_well_formed_http_is_refused(
    host: DocumentHost, open_fetcher: Open, head: bytes
) -> None:
    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await writer.drain()

    host.respond = respond
    with unavailable("cannot be fetched"):
        await open_fetcher()(URL, max_bytes=MAX_BYTES)


async def test_how_long_a_document_may_be_kept_is_read_from_its_headers(
    host: DocumentHost, open_fetcher: Open
) -> None:
    host.respond = answer(GOOD, Cache_Control="public, max-age=600", Age="60")
    fetched = await open_fetcher()(URL, max_bytes=MAX_BYTES)
    assert fetched.fresh_for == timedelta(minutes=9)


async def test_every_line_of_its_freshness_counts(host: DocumentHost, open_fetcher: Open) -> None:
    host.respond = answer(GOOD, Cache_Control="max-age=86400", cache_control="no-cache")
    fetched = await open_fetcher()(URL, max_bytes=MAX_BYTES)
    assert fetched.fresh_for == timedelta(0)


@pytest.mark.parametrize(
    ("first", "second"),
    [("application/json", "text/html"), ("text/html", "application/json")],
)
async def test_a_second_media_type_does_not_make_it_json(
    host: DocumentHost, open_fetcher: Open, first: str, second: str
) -> None:
    host.respond = answer(GOOD, content_type=first, CONTENT_TYPE=second)
    with unavailable("JSON"):
        await open_fetcher()(URL, max_bytes=MAX_BYTES)


async def test_so_many_are_fetched_at_once_and_no_more(
    host: DocumentHost, open_fetcher: Open
) -> None:
    let_go = asyncio.Event()

    async def when_let_go(writer: asyncio.StreamWriter) -> None:
        await let_go.wait()
        await answer(GOOD)(writer)

    host.respond = when_let_go
    fetch = open_fetcher()
    fetches = [asyncio.create_task(fetch(URL, max_bytes=MAX_BYTES)) for _ in range(64)]
    await asyncio.sleep(0)  # each is begun: it counts, whether it is connected or not
    with unavailable("too many"):
        await fetch(URL, max_bytes=MAX_BYTES)
    let_go.set()
    assert len(await asyncio.gather(*fetches)) == host.connections == 64
    await fetch(URL, max_bytes=MAX_BYTES)
