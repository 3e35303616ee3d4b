"""The syntax of chunks: sizes, extensions, line ends, the last chunk and the trailer."""

from collections.abc import Iterator

from http_framing.stream import CHUNKED, HOST, NEXT, POST, SMUGGLED, Stream, chunk, chunked, head

_N = len(SMUGGLED)
_HEX = b"%x" % _N
_LAST = b"0\r\n\r\n"

_SIZES: dict[str, bytes] = {
    "plain": _HEX,
    "upper case": _HEX.upper(),
    "leading zero": b"0" + _HEX,
    "leading zeros": b"0" * 30 + _HEX,
    "hexadecimal mark": b"0x" + _HEX,
    "minus sign": b"-" + _HEX,
    "plus sign": b"+" + _HEX,
    "space before": b" " + _HEX,
    "tab before": b"\t" + _HEX,
    "space after": _HEX + b" ",
    "tab after": _HEX + b"\t",
    "vertical tab after": _HEX + b"\x0b",
    "NUL after": _HEX + b"\x00",
    "byte A0 after": _HEX + b"\xa0",
    "underscore": _HEX[:1] + b"_" + _HEX[1:],
    "decimal": b"%d" % _N,
    "no digit": b"",
    "no hexadecimal digit": b"xyz",
    "comma": _HEX + b"," + _HEX,
    "2^32 and exact": b"1%08x" % _N,
    "2^64 and exact": b"1%016x" % _N,
    "2^63": b"8000000000000000",
    "2^64 - 1": b"f" * 16,
    "a hundred digits": b"f" * 100,
    "one too small": b"%x" % (_N - 1),
    "one too large": b"%x" % (_N + 1),
    "two too large": b"%x" % (_N + 2),
    "over the last chunk": b"%x" % (_N + len(_LAST) + 2),
    "bare CR after": _HEX + b"\r",
    "folded": _HEX + b"\r\n ",
}

_EXTENSIONS: dict[str, bytes] = {
    "name": b";a",
    "name and value": b";a=b",
    "quoted value": b';a="b"',
    "quoted value with a semicolon": b';a="b;c"',
    "quoted value with a quoted quote": b';a="b\\"c"',
    "quoted value that does not end": b';a="b',
    "spaces around": b" ; a = b",
    "tab before": b"\t;a",
    "empty": b";",
    "two": b";a;b",
    "no name": b";=b",
    "no value": b";a=",
    "bare LF within": b";a\n",
    "bare CR within": b";a\rb",
    "a quoted CRLF": b';a="\r\n',
    "obs-text": b";a=\xff",
    "NUL": b";a=\x00",
    "long": b";" + b"a" * 3000,
}

_BODIES: dict[str, bytes] = {
    "nothing but the last chunk": _LAST,
    "two chunks": chunk(SMUGGLED[:7]) + chunk(SMUGGLED[7:]) + _LAST,
    "a chunk for each byte": b"".join(chunk(bytes([byte])) for byte in SMUGGLED) + _LAST,
    "several zeros": chunk(SMUGGLED) + b"0000\r\n\r\n",
    "last chunk with an extension": chunk(SMUGGLED) + b"0;a=b\r\n\r\n",
    "no chunks but the body": SMUGGLED,
    "bare LF after a size": _HEX + b"\n" + SMUGGLED + b"\r\n" + _LAST,
    "bare CR after a size": _HEX + b"\r" + SMUGGLED + b"\r\n" + _LAST,
    "bare LF after the data": _HEX + b"\r\n" + SMUGGLED + b"\n" + _LAST,
    "bare CR after the data": _HEX + b"\r\n" + SMUGGLED + b"\r" + _LAST,
    "nothing after the data": _HEX + b"\r\n" + SMUGGLED + _LAST,
    "two bytes that are no CRLF after the data": _HEX + b"\r\n" + SMUGGLED + b"xx" + _LAST,
    "LF CR after the data": _HEX + b"\r\n" + SMUGGLED + b"\n\r" + _LAST,
    "an empty line before the last chunk": chunk(SMUGGLED) + b"\r\n" + _LAST,
    "an empty line before the first chunk": b"\r\n" + chunked(SMUGGLED),
    "bare LFs all over": _HEX + b"\n" + SMUGGLED + b"\n0\n\n",
    "bare LF after the last size": chunk(SMUGGLED) + b"0\n\r\n",
    "bare LF after the trailer": chunk(SMUGGLED) + b"0\r\n\n",
    "bare CR after the last size": chunk(SMUGGLED) + b"0\r\r\n",
    "no end of the trailer": chunk(SMUGGLED) + b"0\r\n",
    "no last chunk": chunk(SMUGGLED),
    "a chunk after the last": chunk(SMUGGLED) + _LAST + chunk(b"more"),
    "two last chunks": chunk(SMUGGLED) + _LAST + _LAST,
}

_TRAILERS: dict[str, bytes] = {
    "one field": b"A: b\r\n",
    "two fields": b"A: b\r\nC: d\r\n",
    "Content-Length": b"Content-Length: %d\r\n" % len(NEXT),
    "Content-Length: 0": b"Content-Length: 0\r\n",
    "Transfer-Encoding": CHUNKED + b"\r\n",
    "Transfer-Encoding: gzip": b"Transfer-Encoding: gzip\r\n",
    "Host": b"Host: elsewhere\r\n",
    "Authorization": b"Authorization: Bearer stolen\r\n",
    "Cookie": b"Cookie: a=b\r\n",
    "X-Forwarded-For": b"X-Forwarded-For: 198.51.100.77\r\n",
    "X-Forwarded-Proto": b"X-Forwarded-Proto: https\r\n",
    "Content-Type": b"Content-Type: text/plain\r\n",
    "Expect": b"Expect: 100-continue\r\n",
    "Connection: close": b"Connection: close\r\n",
    "Connection: Upgrade": b"Connection: Upgrade\r\nUpgrade: x\r\n",
    "Connection: close, keep-alive": b"Connection: close, keep-alive\r\n",
    "Proxy-Connection: close": b"Proxy-Connection: close\r\n",
    "Keep-Alive": b"Keep-Alive: timeout=1\r\n",
    "no colon": b"trailer\r\n",
    "no name": b": b\r\n",
    "space before the colon": b"A : b\r\n",
    "folded": b"A: b\r\n c\r\n",
    "a fold and nothing before it": b" a: b\r\n",
    "bare LF": b"A: b\nC: d\r\n",
    "bare CR": b"A: b\rC: d\r\n",
    "NUL": b"A: b\x00\r\n",
    "a request": SMUGGLED[:-2],
}


def chunks() -> Iterator[Stream]:
    """All of them."""
    for name, size in _SIZES.items():
        yield _chunked(f"chunk size: {name}", size + b"\r\n" + SMUGGLED + b"\r\n" + _LAST)
    for name, extension in _EXTENSIONS.items():
        body = _HEX + extension + b"\r\n" + SMUGGLED + b"\r\n" + _LAST
        yield _chunked(f"chunk extension: {name}", body)
    for name, body in _BODIES.items():
        yield _chunked(f"chunks: {name}", body)
    for name, trailer in _TRAILERS.items():
        yield _chunked(f"trailer: {name}", chunk(SMUGGLED) + b"0\r\n" + trailer + b"\r\n")


def _chunked(name: str, body: bytes) -> Stream:
    return Stream(name, head(POST, HOST, CHUNKED), body + NEXT)
