"""What makes a parser leave HTTP, and requests that follow each other on one connection."""

from collections.abc import Iterator
from itertools import product

from http_framing.stream import (
    CHUNKED,
    GET,
    HOST,
    NEXT,
    POST,
    SMUGGLED,
    Stream,
    chunked,
    head,
    length_of,
)

_UPGRADES: dict[str, bytes] = {
    "x": b"x",
    "h2c": b"h2c",
    "websocket": b"websocket",
    "WebSocket": b"WebSocket",
    "TLS/1.0": b"TLS/1.0",
    "empty": b"",
    "list": b"h2c, websocket",
    "HTTP/2.0": b"HTTP/2.0",
}
_CONNECTIONS: dict[str, tuple[bytes, ...]] = {
    "upgrade": (b"Connection: upgrade",),
    "Upgrade": (b"Connection: Upgrade",),
    "in a list": (b"Connection: keep-alive, Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABk"),
    "close, Upgrade": (b"Connection: close, Upgrade",),
    "in two fields": (b"Connection: keep-alive", b"Connection: Upgrade"),
    "no Connection": (),
}
_BODIES: dict[str, tuple[tuple[bytes, ...], bytes]] = {
    "no body": ((), b""),
    "Content-Length": ((length_of(SMUGGLED),), SMUGGLED),
    "chunked": ((CHUNKED,), chunked(SMUGGLED)),
}

# One whole request each.
_REQUESTS: dict[str, bytes] = {
    "GET": head(b"GET /get HTTP/1.1", HOST),
    "POST": head(b"POST /post HTTP/1.1", HOST, length_of(SMUGGLED)) + SMUGGLED,
    "chunked": head(b"POST /chunked HTTP/1.1", HOST, CHUNKED) + chunked(SMUGGLED),
    "upgrade": head(
        b"POST /upgrade HTTP/1.1", HOST, b"Connection: Upgrade", b"Upgrade: x", length_of(SMUGGLED)
    )
    + SMUGGLED,
    "expect": head(b"PUT /expect HTTP/1.1", HOST, b"Expect: 100-continue", length_of(SMUGGLED))
    + SMUGGLED,
    "close": head(b"GET /close HTTP/1.1", HOST, b"Connection: close"),
    "HTTP/1.0": head(b"GET /old HTTP/1.0", HOST),
    "broken": b"GET /broken HTTP/1.1\r\n: broken\r\n\r\n",
}


def sequences() -> Iterator[Stream]:
    """All of them."""
    yield from _upgrades()
    yield from _connects()
    yield from _expectations()
    yield from _closes()
    yield from _empty_lines()
    yield from _prefaces()
    for (first, one), (second, two) in product(_REQUESTS.items(), repeat=2):
        yield Stream(f"pipelined: {first}, {second}", one, two + NEXT)
    three = _REQUESTS["POST"] + _REQUESTS["broken"] + NEXT
    yield Stream("pipelined: GET, POST, broken", _REQUESTS["GET"], three)
    yield Stream("pipelined: twelve", _REQUESTS["GET"], _REQUESTS["POST"] * 10 + NEXT)
    yield Stream("pipelined: fifty", _REQUESTS["GET"], NEXT * 49)


def _upgrades() -> Iterator[Stream]:
    for (value_name, value), (connection_name, connection), (body_name, (fields, body)) in product(
        _UPGRADES.items(), _CONNECTIONS.items(), _BODIES.items()
    ):
        line = POST if fields else GET
        request = head(line, HOST, *connection, b"Upgrade: " + value, *fields)
        name = f"Upgrade: {value_name}, {connection_name}, {body_name}"
        yield Stream(name, request, body + NEXT)
    for body_name, (fields, body) in _BODIES.items():
        request = head(POST, HOST, b"Connection: Upgrade", *fields)
        yield Stream(f"Connection: Upgrade and no Upgrade, {body_name}", request, body + NEXT)
        request = head(POST, HOST, b"Upgrade: x", b"Upgrade: y", b"Connection: upgrade", *fields)
        yield Stream(f"two Upgrade fields, {body_name}", request, body + NEXT)
        # A parser that was told to leave must not come back for what follows a whole request.
        request = head(POST, HOST, b"Connection: Upgrade", b"Upgrade: x", b"Expect: 100-continue")
        request = request[:-2] + b"\r\n".join([*fields, b""]) + b"\r\n" if fields else request
        yield Stream(f"Upgrade and Expect, {body_name}", request, body + NEXT)
        old = POST.replace(b"1.1", b"1.0")
        request = head(old, HOST, b"Connection: Upgrade", b"Upgrade: x", *fields)
        yield Stream(f"Upgrade in HTTP/1.0, {body_name}", request, body + NEXT)


def _connects() -> Iterator[Stream]:
    for (target_name, target), (body_name, (fields, body)) in product(
        {"authority": b"here:80", "path": b"/first", "URL": b"http://here/"}.items(),
        _BODIES.items(),
    ):
        line = b"CONNECT " + target + b" HTTP/1.1"
        yield Stream(
            f"CONNECT to {target_name}, {body_name}", head(line, HOST, *fields), body + NEXT
        )
        request = head(line, HOST, b"Connection: Upgrade", b"Upgrade: x", *fields)
        yield Stream(f"CONNECT and Upgrade to {target_name}, {body_name}", request, body + NEXT)
    yield Stream("CONNECT in HTTP/1.0", head(b"CONNECT here:80 HTTP/1.0", HOST), SMUGGLED)


def _expectations() -> Iterator[Stream]:
    for name, field in {
        "100-continue": b"Expect: 100-continue",
        "100-Continue": b"EXPECT: 100-Continue",
        "200-ok": b"Expect: 200-ok",
        "empty": b"Expect:",
    }.items():
        for body_name, (fields, body) in _BODIES.items():
            request = head(POST, HOST, field, *fields)
            yield Stream(f"Expect: {name}, {body_name}", request, body + NEXT)


def _closes() -> Iterator[Stream]:
    for name, connection in {
        "close": b"Connection: close",
        "Close": b"Connection: Close",
        "close in a list": b"Connection: keep-alive, close",
        "close, keep-alive": b"Connection: close, keep-alive",
        "keep-alive": b"Connection: keep-alive",
        "unknown": b"Connection: x",
        "empty": b"Connection:",
        "Content-Length": b"Connection: Content-Length",
        "proxy": b"Proxy-Connection: close",
    }.items():
        for body_name, (fields, body) in _BODIES.items():
            request = head(POST, HOST, connection, *fields)
            yield Stream(f"Connection: {name}, {body_name}", request, body + NEXT)


def _empty_lines() -> Iterator[Stream]:
    for name, empty in {
        "one": b"\r\n",
        "three": b"\r\n" * 3,
        "bare LF": b"\n",
        "bare CR": b"\r",
        "space": b" \r\n",
        "NUL": b"\x00",
    }.items():
        request = head(POST, HOST, length_of(SMUGGLED)) + SMUGGLED
        yield Stream(f"empty line first: {name}", empty + request, NEXT)
        yield Stream(f"empty line between: {name}", request, empty + NEXT)


def _prefaces() -> Iterator[Stream]:
    preface = b"PRI * HTTP/2.0\r\n\r\n"
    yield Stream("HTTP/2 preface", preface, b"SM\r\n\r\n" + SMUGGLED)
    yield Stream("HTTP/2 preface and frames", preface, b"SM\r\n\r\n" + bytes(9) + SMUGGLED)
    yield Stream("HTTP/2 preface without its end", preface, SMUGGLED)
    yield Stream("HTTP/2 preface after a request", head(GET, HOST), preface + b"SM\r\n\r\n" + NEXT)
    yield Stream("PRI of a path", head(b"PRI /first HTTP/1.1", HOST), NEXT)
    yield Stream("TLS", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", SMUGGLED)
    yield Stream("PROXY protocol", b"PROXY TCP4 198.51.100.77 192.0.2.1 1 2\r\n", NEXT)
    yield Stream("SOCKS", b"\x05\x01\x00", SMUGGLED)
    yield Stream("an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", SMUGGLED)
    yield Stream("nothing but text", b"Hello\r\n\r\n", SMUGGLED)
