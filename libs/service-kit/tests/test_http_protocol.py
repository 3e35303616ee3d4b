"""The head of a request on a real socket: bounded in size and time, before any application."""

import asyncio
from contextlib import suppress

import pytest
from raw_http import Application, connected, head

from service_kit.http_protocol.body import MAX_EMPTY_LINES
from service_kit.http_protocol.head import MAX_FIELDS, MAX_HEAD_BYTES

TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large"


async def test_a_large_head_that_is_within_the_bound_is_answered(port: int) -> None:
    async with connected(port) as connection:
        for _ in range(2):
            request = head(b"X-Filler: " + b"x" * (MAX_HEAD_BYTES - 100))
            assert await connection.ask(request) == b"HTTP/1.1 200 OK"
            await connection.reader.readuntil(b"\r\n\r\n0")


async def test_a_large_head_may_come_in_many_parts(port: int) -> None:
    request = head(*[b"X-Filler-%d: " % number + b"x" * 980 for number in range(60)])
    parts = [request[start : start + 500] for start in range(0, len(request), 500)]
    async with connected(port) as connection:
        assert await connection.ask(*parts) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "request_head",
    [
        head(b"X-Filler: " + b"x" * MAX_HEAD_BYTES),
        head(*[b"X-Filler-%d: x" % number for number in range(MAX_FIELDS)]),
        head(*[b"a:"] * 10_000),
        head(target=b"/" + b"x" * MAX_HEAD_BYTES),
        head(target=b"/?" + b"x" * MAX_HEAD_BYTES),
    ],
    ids=["one field", "a field too many", "fields of two bytes", "path", "query"],
)
async def test_a_head_beyond_the_bound_is_431_and_reaches_no_application(
    port: int, application: Application, request_head: bytes
) -> None:
    async with connected(port) as connection:
        assert await connection.ask(request_head) == TOO_LARGE
        assert b"connection: close" in await connection.rest()
    assert application.asked == []


async def test_a_head_that_never_ends_is_cut_off_while_it_is_sent(
    port: int, application: Application
) -> None:
    async with connected(port) as connection:
        connection.writer.write(head()[:-2] + b"X-Endless: ")
        with suppress(ConnectionError):
            for _ in range(100):
                connection.writer.write(b"x" * MAX_HEAD_BYTES)
                await connection.writer.drain()
        await connection.rest()
    assert application.asked == []


async def test_every_head_on_a_connection_is_bounded(port: int, application: Application) -> None:
    async with connected(port) as connection:
        assert await connection.ask(head(target=b"/first")) == b"HTTP/1.1 200 OK"
        await connection.reader.readuntil(b"\r\n\r\n0")
        too_large = head(b"X-Filler: " + b"x" * MAX_HEAD_BYTES, target=b"/second")
        assert await connection.ask(too_large) == TOO_LARGE
    assert application.asked == ["/first"]


async def test_a_body_is_no_head_and_a_head_may_follow_it_at_once(port: int) -> None:
    size = 4 * MAX_HEAD_BYTES
    upload = head(b"Content-Length: %d" % size, method=b"POST")
    async with connected(port) as connection:
        # The second request begins with the last bytes of the first one.
        following = head(target=b"/second")
        first = await connection.ask(upload, b"b" * size + following[:20], following[20:])
        assert first == b"HTTP/1.1 200 OK"
        await connection.reader.readuntil(b"\r\n\r\n%d" % size)
        assert await connection.ask() == b"HTTP/1.1 200 OK"


async def test_a_request_line_that_is_none_is_400(port: int, application: Application) -> None:
    for line in (b"GET http://[::1/ HTTP/1.1\r\nHost: here\r\n\r\n", b"nonsense\r\n\r\n"):
        async with connected(port) as connection:
            assert await connection.ask(line) == b"HTTP/1.1 400 Bad Request"
            await connection.rest()
    assert application.asked == []


@pytest.mark.parametrize(
    "endless", [b"0\r\nX-Trailer: ", b"1;extension="], ids=["trailer", "chunk"]
)
async def test_what_never_ends_behind_a_body_is_cut_off_too(port: int, endless: bytes) -> None:
    upload = head(b"Transfer-Encoding: chunked", method=b"POST")
    async with connected(port) as connection:
        connection.writer.write(upload + b"1\r\nb\r\n" + endless)
        with suppress(ConnectionError):
            for _ in range(100):
                connection.writer.write(b"x" * MAX_HEAD_BYTES)
                await connection.writer.drain()
        await connection.rest()


async def test_many_fields_of_a_trailer_are_bounded(port: int) -> None:
    upload = head(b"Transfer-Encoding: chunked", method=b"POST")
    fields = b"".join(b"X-Filler-%d: x\r\n" % number for number in range(6000))
    async with connected(port) as connection:
        assert await connection.ask(upload, b"1\r\nb\r\n0\r\n" + fields) == TOO_LARGE


async def test_a_head_that_takes_too_long_is_408(
    port: int, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service_kit.http_protocol.connection.HEAD_SECONDS", 0.05)
    async with connected(port) as connection:
        assert await connection.ask(head()[:-2]) == b"HTTP/1.1 408 Request Timeout"
        await connection.rest()
    assert application.asked == []


async def test_a_connection_on_which_nothing_is_asked_is_closed_without_a_word(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service_kit.http_protocol.connection.HEAD_SECONDS", 0.05)
    async with connected(port) as connection:
        assert await connection.rest() == b""


async def test_an_empty_line_between_requests_keeps_no_connection_for_ever(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(port) as connection:
        await connection.ask(head())
        await connection.reader.readuntil(b"\r\n\r\n0")
        monkeypatch.setattr("service_kit.http_protocol.connection.HEAD_SECONDS", 0.05)
        assert await connection.ask(b"\r\n") == b""


async def test_who_asked_in_time_has_no_deadline_while_they_wait_for_the_answer(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service_kit.http_protocol.connection.HEAD_SECONDS", 0.05)
    async with connected(port) as connection:
        connection.writer.write(head(b"Content-Length: 2", method=b"POST") + b"b")
        await asyncio.sleep(0.2)  # four times the deadline of a head
        assert await connection.ask(b"b") == b"HTTP/1.1 200 OK"


async def test_empty_lines_that_would_stop_the_parser_each_time_are_bounded(port: int) -> None:
    upload = head(b"Transfer-Encoding: chunked", method=b"POST")
    empty_lines = b"\r\n\r\n" * MAX_EMPTY_LINES
    async with connected(port) as connection:
        await connection.send(upload + b"fff0\r\n", empty_lines * 2)
        assert (await connection.answer())[0] == 400
        assert await connection.rest() == b""


async def test_a_body_of_a_stated_length_may_be_empty_lines_only(port: int) -> None:
    upload = head(b"Content-Length: 100000", method=b"POST")
    async with connected(port) as connection:
        await connection.send(upload, b"\r\n" * 50_000)
        assert await connection.answer() == (200, b"100000")
