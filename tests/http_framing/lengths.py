"""How long the body is: Content-Length, Transfer-Encoding, and both of them."""

from collections.abc import Iterator

from http_framing.stream import (
    CHUNKED,
    GET,
    HOST,
    NEXT,
    POST,
    SMUGGLED,
    Stream,
    chunk,
    chunked,
    head,
    length_of,
    posts,
)

_N = len(SMUGGLED)
_DIGITS = b"%d" % _N

_CONTENT_LENGTH_VALUES: dict[str, bytes] = {
    "zero": b"0",
    "exact": _DIGITS,
    "too short": b"%d" % (_N - 5),
    "one too short": b"%d" % (_N - 1),
    "one too long": b"%d" % (_N + 1),
    "over the next request": b"%d" % (_N + len(NEXT)),
    "over the end": b"%d" % (_N + len(NEXT) + 1),
    "plus sign": b"+" + _DIGITS,
    "minus sign": b"-" + _DIGITS,
    "minus zero": b"-0",
    "many spaces before": b"   " + _DIGITS,
    "tab before": b"\t" + _DIGITS,
    "space after": _DIGITS + b" ",
    "tab after": _DIGITS + b"\t",
    "space within": b"%d %d" % divmod(_N, 10),
    "vertical tab before": b"\x0b" + _DIGITS,
    "vertical tab after": _DIGITS + b"\x0b",
    "form feed after": _DIGITS + b"\x0c",
    "no-break space before": b"\xa0" + _DIGITS,
    "no-break space after": _DIGITS + b"\xa0",
    "NUL after": _DIGITS + b"\x00",
    "hexadecimal": b"0x%x" % _N,
    "hexadecimal without mark": b"%x" % _N,
    "leading zero": b"0" + _DIGITS,
    "many leading zeros": b"0" * 40 + _DIGITS,
    "octal": b"0%o" % _N,
    "list of one with comma after": _DIGITS + b",",
    "list of one with comma before": b"," + _DIGITS,
    "list of equals": _DIGITS + b", " + _DIGITS,
    "list of exact and zero": _DIGITS + b", 0",
    "list of zero and exact": b"0, " + _DIGITS,
    "semicolon": _DIGITS + b";a=b",
    "quoted": b'"' + _DIGITS + b'"',
    "decimal point": _DIGITS + b".0",
    "exponent": _DIGITS + b"e0",
    "underscore": b"%d_%d" % divmod(_N, 10),
    "word": b"many",
    "empty": b"",
    "2^31": b"2147483648",
    "2^32 and exact": b"%d" % (2**32 + _N),
    "2^63": b"%d" % 2**63,
    "2^64 and exact": b"%d" % (2**64 + _N),
    "four hundred digits": b"9" * 400,
    "full-width digits": "".join(chr(0xFF10 + int(digit)) for digit in str(_N)).encode(),
    "superscript digits in latin-1": b"\xb2\xb3",
}

_CONTENT_LENGTH_FIELDS: dict[str, tuple[bytes, ...]] = {
    "absent": (),
    "twice the same": (length_of(SMUGGLED), length_of(SMUGGLED)),
    "exact, then zero": (length_of(SMUGGLED), b"Content-Length: 0"),
    "zero, then exact": (b"Content-Length: 0", length_of(SMUGGLED)),
    "exact, then empty": (length_of(SMUGGLED), b"Content-Length:"),
    "with a field between": (length_of(SMUGGLED), b"A: b", b"Content-Length: 0"),
    "upper and lower case": (b"CONTENT-LENGTH: 0", b"content-length: " + _DIGITS),
    "underscore in the name": (b"Content_Length: " + _DIGITS,),
    "space before the colon": (b"Content-Length : " + _DIGITS,),
    "tab before the colon": (b"Content-Length\t: " + _DIGITS,),
    "space before the name": (b"A: b", b" Content-Length: " + _DIGITS),
    "NUL in the name": (b"Content-Length\x00: " + _DIGITS,),
    "no space after the colon": (b"Content-Length:" + _DIGITS,),
    "no colon": (b"Content-Length " + _DIGITS,),
    "as a value of another field": (b"A: Content-Length: " + _DIGITS,),
}

_TRANSFER_ENCODING: dict[str, tuple[bytes, ...]] = {
    "chunked": (CHUNKED,),
    "Chunked": (b"Transfer-Encoding: Chunked",),
    "CHUNKED": (b"TRANSFER-ENCODING: CHUNKED",),
    "xchunked": (b"Transfer-Encoding: xchunked",),
    "chunkedx": (b"Transfer-Encoding: chunkedx",),
    "chunk": (b"Transfer-Encoding: chunk",),
    "empty": (b"Transfer-Encoding:",),
    "identity": (b"Transfer-Encoding: identity",),
    "identity, chunked": (b"Transfer-Encoding: identity, chunked",),
    "chunked, identity": (b"Transfer-Encoding: chunked, identity",),
    "chunked, chunked": (b"Transfer-Encoding: chunked, chunked",),
    "gzip": (b"Transfer-Encoding: gzip",),
    "gzip, chunked": (b"Transfer-Encoding: gzip, chunked",),
    "gzip,chunked": (b"Transfer-Encoding: gzip,chunked",),
    "chunked, gzip": (b"Transfer-Encoding: chunked, gzip",),
    "chunked, and a comma": (b"Transfer-Encoding: chunked,",),
    "a comma, and chunked": (b"Transfer-Encoding: ,chunked",),
    "quoted": (b'Transfer-Encoding: "chunked"',),
    "with a parameter": (b"Transfer-Encoding: chunked;q=1",),
    "chunked, then a space": (b"Transfer-Encoding: chunked ",),
    "chunked, then a tab": (b"Transfer-Encoding: chunked\t",),
    "a tab, then chunked": (b"Transfer-Encoding:\tchunked",),
    "no space": (b"Transfer-Encoding:chunked",),
    "a vertical tab, then chunked": (b"Transfer-Encoding: \x0bchunked",),
    "chunked, then a vertical tab": (b"Transfer-Encoding: chunked\x0b",),
    "chunked, then a form feed": (b"Transfer-Encoding: chunked\x0c",),
    "chunked, then a NUL": (b"Transfer-Encoding: chunked\x00",),
    "byte A0, then chunked": (b"Transfer-Encoding: \xa0chunked",),
    "chunked, then byte A0": (b"Transfer-Encoding: chunked\xa0",),
    "chunked, then byte 85": (b"Transfer-Encoding: chunked\x85",),
    "a bare CR before the value": (b"Transfer-Encoding: \rchunked",),
    "folded": (b"Transfer-Encoding:", b" chunked"),
    "a space before the colon": (b"Transfer-Encoding : chunked",),
    "a tab before the colon": (b"Transfer-Encoding\t: chunked",),
    "a space before the name": (b"A: b", b" Transfer-Encoding: chunked"),
    "underscore in the name": (b"Transfer_Encoding: chunked",),
    "byte A0 after the name": (b"Transfer-Encoding\xa0: chunked",),
    "twice": (CHUNKED, CHUNKED),
    "chunked, then identity in a field of its own": (CHUNKED, b"Transfer-Encoding: identity"),
    "identity in a field of its own, then chunked": (b"Transfer-Encoding: identity", CHUNKED),
    "gzip in a field of its own, then chunked": (b"Transfer-Encoding: gzip", CHUNKED),
    "chunked, then another in a field of its own": (CHUNKED, b"Transfer-Encoding: x"),
    "in the Connection field": (b"Connection: Transfer-Encoding", CHUNKED),
}


def lengths() -> Iterator[Stream]:
    """All of them."""
    values = {
        name: (b"Content-Length: " + value,) for name, value in _CONTENT_LENGTH_VALUES.items()
    }
    yield from posts("Content-Length", values, SMUGGLED)
    yield from posts("Content-Length", _CONTENT_LENGTH_FIELDS, SMUGGLED)
    for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"PUT", b"PATCH", b"TRACE"):
        line = method + b" /first HTTP/1.1"
        name = method.decode()
        yield Stream(f"{name}: no body", head(line, HOST), NEXT)
        with_length = head(line, HOST, length_of(SMUGGLED))
        yield Stream(f"{name}: Content-Length", with_length, SMUGGLED + NEXT)
        yield Stream(f"{name}: chunked", head(line, HOST, CHUNKED), chunked(SMUGGLED) + NEXT)
    yield from posts("Transfer-Encoding", _TRANSFER_ENCODING, chunked(SMUGGLED))
    yield from _both()
    yield from _in_http_1_0()


def _both() -> Iterator[Stream]:
    # /smuggled/now is a request in the first to those who go by the chunks, and in the second to
    # those who go by the length.
    by_chunks = b"0\r\n\r\n" + SMUGGLED
    first_line = b"%x\r\n" % len(SMUGGLED)
    for name, lines in _TRANSFER_ENCODING.items():
        short, whole = length_of(first_line), length_of(by_chunks)
        yield Stream(
            f"both, Content-Length last: {name}",
            head(POST, HOST, *lines, whole),
            by_chunks + NEXT,
        )
        yield Stream(
            f"both, Content-Length first: {name}",
            head(POST, HOST, short, *lines),
            chunk(SMUGGLED) + b"0\r\n\r\n" + NEXT,
        )


def _in_http_1_0() -> Iterator[Stream]:
    line = POST.replace(b"1.1", b"1.0")
    for keep_alive, connection in (("", ()), (", keep-alive", (b"Connection: keep-alive",))):
        for name, fields, body in (
            ("no length", (), SMUGGLED),
            ("Content-Length", (length_of(SMUGGLED),), SMUGGLED),
            ("chunked", (CHUNKED,), chunked(SMUGGLED)),
            ("both", (CHUNKED, b"Content-Length: 4"), chunked(SMUGGLED)),
            ("identity", (b"Transfer-Encoding: identity",), SMUGGLED),
        ):
            request = head(line, HOST, *connection, *fields)
            yield Stream(f"HTTP/1.0{keep_alive}: {name}", request, body + NEXT)
    get = GET.replace(b"1.1", b"1.0")
    yield Stream("HTTP/1.0: no Host", head(get), NEXT)
    yield Stream("HTTP/1.0: keep-alive", head(get, HOST, b"Connection: keep-alive"), NEXT)
