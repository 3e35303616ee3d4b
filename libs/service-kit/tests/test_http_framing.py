"""One request is one request: no header, method or framing turns its body into another."""

import random

import pytest
from raw_http import Application, connected, head

BODY = b"GET /smuggled HTTP/1.1\r\nHost: here\r\n\r\n"
LENGTH = b"Content-Length: %d" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked"


def chunks(body: bytes, size: int = 7, trailer: bytes = b"") -> bytes:
    """Encode a body in chunks of a size."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    encoded = [b"%x\r\n%s\r\n" % (len(part), part) for part in parts]
    return b"".join([*encoded, b"0\r\n", trailer, b"\r\n"])


@pytest.mark.parametrize("is_split", [False, True], ids=["one packet", "split"])
@pytest.mark.parametrize("framing", [LENGTH, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("connection", [b"Upgrade", b"keep-alive, upgrade, HTTP2-Settings", b"x"])
@pytest.mark.parametrize("upgrade", [b"x", b"h2c", b"websocket", b"TLS/1.0, h2c", b"", b"\xff"])
async def test_upgrade_is_ignored_and_the_body_is_not_read_as_the_next_request(
    port: int,
    application: Application,
    upgrade: bytes,
    connection: bytes,
    framing: bytes,
    is_split: bool,
) -> None:
    fields = (b"Connection: " + connection, b"uPGRADE:" + upgrade, b"HTTP2-Settings: A", framing)
    request_head = head(*fields, method=b"POST", target=b"/first")
    body = BODY if framing == LENGTH else chunks(BODY)
    async with connected(port) as client:
        await client.send(*([request_head, body] if is_split else [request_head + body]))
        assert await client.answer() == (200, b"%d" % len(BODY))
        await client.send(head(target=b"/second"))
        assert await client.answer() == (200, b"0")
    assert application.asked == ["/first", "/second"]
    assert application.requests[0].body == BODY
    assert b"upgrade" not in dict(application.requests[0].headers)


async def test_an_upgrade_request_without_a_body_is_answered_and_the_connection_goes_on(
    port: int, application: Application
) -> None:
    upgrade = head(b"Connection: Upgrade", b"Upgrade: websocket", target=b"/first")
    async with connected(port) as client:
        await client.send(upgrade + head(target=b"/second"))
        assert [await client.answer(), await client.answer()] == [(200, b"0")] * 2
    assert application.asked == ["/first", "/second"]


@pytest.mark.parametrize("is_split", [False, True], ids=["one packet", "split"])
@pytest.mark.parametrize("framing", [(), (LENGTH,), (CHUNKED,)], ids=["none", "length", "chunked"])
async def test_connect_is_refused_and_what_follows_it_is_not_read(
    port: int, application: Application, framing: tuple[bytes, ...], is_split: bool
) -> None:
    request_head = head(*framing, method=b"CONNECT", target=b"here:80")
    async with connected(port) as client:
        await client.send(*([request_head, BODY] if is_split else [request_head + BODY]))
        assert (await client.answer())[0] == 501
        assert await client.rest() == b""
    assert application.asked == []


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/1.2", 505),
        (b"GET / HTTP/0.9", 505),
        (b"GET / RTSP/1.0", 400),
        (b"SOURCE / ICE/1.0", 400),
        (b"GET / http/1.1", 400),
        (b"GET /", 400),
        (b"get / HTTP/1.1", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"GET /\x80 HTTP/1.1", 400),
        (b"GET /a#b HTTP/1.1", 400),
        (b"GET here:80 HTTP/1.1", 400),
        (b"OPTIONS * HTTP/1.1", 400),
        (b"GET http://elsewhere/ HTTP/1.1", 400),
        (b"GET http://user@here/ HTTP/1.1", 400),
        (b"GET ftp://here/ HTTP/1.1", 400),
        (b"PRI * HTTP/2.0", 505),
        (b"\x16\x03\x01\x02\x00\x01", 400),
    ],
)
async def test_a_request_line_with_another_reading_is_refused(
    port: int, application: Application, line: bytes, status: int
) -> None:
    async with connected(port) as client:
        await client.send(line + b"\r\nHost: here\r\n\r\n" + head(target=b"/second"))
        assert (await client.answer())[0] == status
        assert await client.rest() == b""
    assert application.asked == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([], 400),
        ([b"Host: here", b"Host: here"], 400),
        ([b"Host:"], 400),
        ([b"Host: he re"], 400),
        ([b"Host: here/there"], 400),
        ([b"Host: user@here"], 400),
        ([b"Host : here"], 400),
        ([b" Host: here"], 400),
        ([b"Host: here", b" folded"], 400),
        ([b"Host: here", b"Upgrade: x", b" folded"], 400),
        ([b"Host: here", b"X: a\nContent-Length: 5"], 400),
        ([b"Host: here", b"X: a\rContent-Length: 5"], 400),
        ([b"Host: here", b"X: a\x00"], 400),
        ([b"Host: here", b"Upgrade: a\x00", b"Connection: upgrade"], 400),
        ([b"Host: here", b": x"], 400),
        ([b"Host: here", b"X"], 400),
        ([b"Host: here", b"Content-Length: 5", b"Content-Length: 5"], 400),
        ([b"Host: here", b"Content-Length: 5, 5"], 400),
        ([b"Host: here", b"Content-Length: +5"], 400),
        ([b"Host: here", b"Content-Length: 0x5"], 400),
        ([b"Host: here", b"Content-Length: 5 5"], 400),
        ([b"Host: here", b"Content-Length:"], 400),
        ([b"Host: here", b"Content-Length: 99999999999999999999"], 400),
        ([b"Host: here", b"Content-Length: 5", CHUNKED], 400),
        ([b"Host: here", CHUNKED, b"Content-Length: 5"], 400),
        ([b"Host: here", CHUNKED, CHUNKED], 400),
        ([b"Host: here", b"Transfer-Encoding: chunked, chunked"], 400),
        ([b"Host: here", b"Transfer-Encoding: gzip, chunked"], 501),
        ([b"Host: here", b"Transfer-Encoding: identity"], 501),
        ([b"Host: here", b"Transfer-Encoding: xchunked"], 501),
        ([b"Host: here", b"Transfer-Encoding:"], 400),
        ([b"Host: here", b"Transfer-Encoding: \x0bchunked"], 400),
        ([b"Host: here", b"Expect: 200-ok", b"Content-Length: 5"], 417),
    ],
)
async def test_a_head_with_two_readings_is_refused(
    port: int, application: Application, fields: list[bytes], status: int
) -> None:
    request = b"\r\n".join([b"POST / HTTP/1.1", *fields, b"", b""])
    async with connected(port) as client:
        await client.send(request + BODY)
        assert (await client.answer())[0] == status
        assert await client.rest() == b""
    assert application.asked == []


async def test_transfer_encoding_in_http_1_0_is_refused(
    port: int, application: Application
) -> None:
    async with connected(port) as client:
        await client.send(b"POST / HTTP/1.0\r\n" + CHUNKED + b"\r\n\r\n" + chunks(BODY))
        assert (await client.answer())[0] == 400
        assert await client.rest() == b""
    assert application.asked == []


async def test_an_absolute_target_that_repeats_host_is_served(
    port: int, application: Application
) -> None:
    async with connected(port) as client:
        await client.send(head(target=b"HTTP://HERE/there?x"))
        assert (await client.answer())[0] == 200
    assert application.asked == ["/there?x"]


@pytest.mark.parametrize("is_split", [False, True], ids=["one packet", "split"])
async def test_a_field_of_a_trailer_is_no_header_of_this_request_or_the_next(
    port: int, application: Application, is_split: bool
) -> None:
    trailer = b"Authorization: Bearer planted\r\nX-Forwarded-For: 192.0.2.1\r\nHost: elsewhere\r\n"
    trailer += b"Connection: upgrade\r\nUpgrade: x\r\n"
    request_head = head(CHUNKED, method=b"POST", target=b"/first")
    body = chunks(BODY, trailer=trailer)
    async with connected(port) as client:
        await client.send(*([request_head, body] if is_split else [request_head + body]))
        await client.answer()
        await client.send(head(target=b"/second"))
        await client.answer()
    for request, names in zip(
        application.requests, ([b"host", b"transfer-encoding"], [b"host"]), strict=True
    ):
        assert [name for name, _ in request.headers] == names


@pytest.mark.parametrize("seed", range(30))
async def test_bodies_of_any_content_arrive_whole_however_they_are_split(
    port: int, application: Application, seed: int
) -> None:
    rolled = random.Random(seed)  # noqa: S311  (not for secrets)
    bodies, stream = [], b""
    for number in range(rolled.randint(1, 6)):
        body = b"".join(rolled.choices([b"\r\n\r\n", b"\r", b"\n", b"0\r\n\r\n", BODY, b"x"], k=20))
        bodies.append(body)
        framing, encoded = rolled.choice(
            [
                (b"Content-Length: %d" % len(body), body),
                (CHUNKED, chunks(body, rolled.randint(1, 60), rolled.choice([b"", b"X: y\r\n"]))),
            ]
        )
        upgrade = rolled.choice([[], [b"Connection: upgrade", b"Upgrade: x"]])
        request_head = head(framing, *upgrade, method=b"POST", target=b"/%d" % number)
        stream += rolled.choice([b"", b"\r\n"]) + request_head + encoded
    cuts = sorted(rolled.choices(range(len(stream) + 1), k=rolled.choice([0, 5, 200])))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    async with connected(port) as client:
        await client.send(*parts)
        answers = [await client.answer() for _ in bodies]
    assert answers == [(200, b"%d" % len(body)) for body in bodies]
    assert [request.body for request in application.requests] == bodies


async def test_a_malformed_request_behind_another_does_not_take_its_answer(
    port: int, application: Application
) -> None:
    async with connected(port) as client:
        first = head(b"Content-Length: 1", method=b"POST", target=b"/first") + b"x"
        await client.send(first + b"nonsense\r\n\r\n")
        assert await client.answer() == (200, b"1")
        assert (await client.answer())[0] == 400
        assert await client.rest() == b""
    assert application.asked == ["/first"]


async def test_a_malformed_body_has_one_answer_and_the_application_does_not_take_it_for_an_end(
    port: int, application: Application
) -> None:
    async with connected(port) as client:
        await client.send(head(CHUNKED, method=b"POST"), b"3\r\nabc\r\nnonsense\r\n\r\n")
        assert (await client.answer())[0] == 400
        assert await client.rest() == b""
    assert application.asked == ["/"]


async def test_a_body_that_is_malformed_behind_its_answer_gets_no_second_one(port: int) -> None:
    async with connected(port) as client:
        await client.send(head(CHUNKED, method=b"POST", target=b"/answered-early"))
        assert (await client.answer())[0] == 200
        await client.send(b"nonsense\r\n\r\n" + head())
        assert await client.rest() == b""


async def test_a_body_behind_its_answer_is_read_and_another_request_is_served(
    port: int, application: Application
) -> None:
    async with connected(port) as client:
        request_head = head(CHUNKED, method=b"POST", target=b"/answered-early")
        await client.send(request_head)
        assert (await client.answer())[0] == 200
        await client.send(chunks(BODY) + head(target=b"/second"))
        assert (await client.answer())[0] == 200
    assert application.asked == ["/answered-early", "/second"]


async def test_a_client_that_waits_to_be_told_to_go_on_is_told(
    port: int, application: Application
) -> None:
    async with connected(port) as client:
        expecting = head(b"Expect: 100-continue", b"Content-Length: 2", method=b"POST")
        assert await client.ask(expecting) == b"HTTP/1.1 100 Continue"
        await client.reader.readline()
        await client.send(b"ab")
        assert await client.answer() == (200, b"2")
        assert await client.rest() == b""
    assert application.asked == ["/"]


async def test_behind_an_answer_that_nobody_was_told_to_go_on_for_nothing_is_read(
    port: int, application: Application
) -> None:
    fields = (b"Expect: 100-continue", b"Content-Length: 100")
    async with connected(port) as client:
        await client.send(head(*fields, method=b"POST", target=b"/answered-early"))
        assert (await client.answer())[0] == 200
        await client.send(head(target=b"/second"))
        assert await client.rest() == b""
    assert application.asked == ["/answered-early"]
