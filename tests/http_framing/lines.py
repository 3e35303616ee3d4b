"""Request lines, header lines, their ends, and Host."""

from collections.abc import Iterator

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
    posts,
)

_REQUEST_LINES: dict[str, bytes] = {
    "HTTP/0.9": b"POST /first",
    "HTTP/0.9 with a space": b"POST /first ",
    "HTTP/0.9 in words": b"POST /first HTTP/0.9",
    "HTTP/1.2": b"POST /first HTTP/1.2",
    "HTTP/1.9": b"POST /first HTTP/1.9",
    "HTTP/2.0": b"POST /first HTTP/2.0",
    "HTTP/3.0": b"POST /first HTTP/3.0",
    "HTTP/1": b"POST /first HTTP/1",
    "HTTP/1.": b"POST /first HTTP/1.",
    "HTTP/1.10": b"POST /first HTTP/1.10",
    "HTTP/01.1": b"POST /first HTTP/01.1",
    "HTTP/1.1x": b"POST /first HTTP/1.1x",
    "HTTP 1.1": b"POST /first HTTP 1.1",
    "http/1.1": b"POST /first http/1.1",
    "Http/1.1": b"POST /first Http/1.1",
    "HTTPS/1.1": b"POST /first HTTPS/1.1",
    "ICE/1.0": b"POST /first ICE/1.0",
    "RTSP/1.0": b"POST /first RTSP/1.0",
    "SOURCE for ICE": b"SOURCE /first ICE/1.0",
    "DESCRIBE for RTSP": b"DESCRIBE /first RTSP/1.0",
    "a space after the version": b"POST /first HTTP/1.1 ",
    "a tab after the version": b"POST /first HTTP/1.1\t",
    "a tab for the first space": b"POST\t/first HTTP/1.1",
    "a tab for the second space": b"POST /first\tHTTP/1.1",
    "a vertical tab for a space": b"POST\x0b/first HTTP/1.1",
    "two first spaces": b"POST  /first HTTP/1.1",
    "two second spaces": b"POST /first  HTTP/1.1",
    "a space before the method": b" POST /first HTTP/1.1",
    "a space in the target": b"POST /first second HTTP/1.1",
    "two versions": b"POST /first HTTP/1.1 HTTP/1.1",
    "no target": b"POST HTTP/1.1",
    "an empty target": b"POST  HTTP/1.1",
    "no method": b"/first HTTP/1.1",
    "lower-case method": b"post /first HTTP/1.1",
    "unknown method": b"PURLOIN /first HTTP/1.1",
    "method with a quote": b'PO"ST /first HTTP/1.1',
    "method with a NUL": b"PO\x00ST /first HTTP/1.1",
    "method with obs-text": b"PO\xffST /first HTTP/1.1",
    "a query": b"POST /first?a=b&c HTTP/1.1",
    "an empty query": b"POST /first? HTTP/1.1",
    "a fragment": b"POST /first#second HTTP/1.1",
    "two question marks": b"POST /first?a?b HTTP/1.1",
    "percent-encoding": b"POST /fi%72st HTTP/1.1",
    "an encoded CRLF": b"POST /first%0d%0a HTTP/1.1",
    "a broken percent-encoding": b"POST /first%zz HTTP/1.1",
    "an encoded NUL": b"POST /first%00 HTTP/1.1",
    "dot segments": b"POST /a/../first HTTP/1.1",
    "double slash": b"POST //first HTTP/1.1",
    "a backslash": b"POST /first\\second HTTP/1.1",
    "a NUL in the target": b"POST /fi\x00rst HTTP/1.1",
    "obs-text in the target": b"POST /fi\xffrst HTTP/1.1",
    "UTF-8 in the target": "POST /fürst HTTP/1.1".encode(),
    "DEL in the target": b"POST /fi\x7frst HTTP/1.1",
    "a bare CR in the target": b"POST /fi\rrst HTTP/1.1",
    "a quote in the target": b'POST /fi"rst HTTP/1.1',
    "absolute-form, same authority": b"POST http://here/first HTTP/1.1",
    "absolute-form, another authority": b"POST http://elsewhere/first HTTP/1.1",
    "absolute-form with a port": b"POST http://here:80/first HTTP/1.1",
    "absolute-form with user information": b"POST http://someone@here/first HTTP/1.1",
    "absolute-form without a path": b"POST http://here HTTP/1.1",
    "absolute-form with a query and no path": b"POST http://here?a HTTP/1.1",
    "absolute-form, https": b"POST https://here/first HTTP/1.1",
    "absolute-form, upper case": b"POST HTTP://here/first HTTP/1.1",
    "absolute-form, another scheme": b"POST ftp://here/first HTTP/1.1",
    "absolute-form, no authority": b"POST http:///first HTTP/1.1",
    "absolute-form, broken authority": b"POST http://[::1/first HTTP/1.1",
    "asterisk-form": b"OPTIONS * HTTP/1.1",
    "asterisk-form of a POST": b"POST * HTTP/1.1",
    "authority-form of a POST": b"POST here:80 HTTP/1.1",
    "a relative path": b"POST first HTTP/1.1",
}

_HOSTS: dict[str, tuple[bytes, ...]] = {
    "absent": (),
    "twice the same": (HOST, HOST),
    "twice": (HOST, b"Host: elsewhere"),
    "empty": (b"Host:",),
    "a list": (b"Host: here, elsewhere",),
    "with a space": (b"Host: here elsewhere",),
    "with a slash": (b"Host: here/first",),
    "with user information": (b"Host: someone@here",),
    "with a port": (b"Host: here:8080",),
    "with a port that is none": (b"Host: here:eighty",),
    "with two ports": (b"Host: here:80:81",),
    "an IPv6 address": (b"Host: [::1]:80",),
    "a broken IPv6 address": (b"Host: [::1",),
    "with a NUL": (b"Host: he\x00re",),
    "with obs-text": (b"Host: h\xffre",),
    "with a bare CR": (b"Host: he\rre",),
    "a URL": (b"Host: http://here/",),
    "with a space before the colon": (b"Host : here",),
    "folded": (b"Host:", b" here"),
}

_HEADER_LINES: dict[str, tuple[bytes, ...]] = {
    "space before the colon": (b"A : b",),
    "tab before the colon": (b"A\t: b",),
    "space within the name": (b"A B: c",),
    "no name": (b": b",),
    "no colon": (b"A",),
    "nothing but a colon": (b":",),
    "no value": (b"A:",),
    "two colons": (b"A:: b",),
    "NUL in the name": (b"A\x00: b",),
    "NUL in the value": (b"A: b\x00c",),
    "obs-text in the name": (b"\xc4: b",),
    "obs-text in the value": (b"A: \xc4",),
    "DEL in the value": (b"A: b\x7fc",),
    "escape in the value": (b"A: \x1b[1m",),
    "vertical tab in the value": (b"A: b\x0bc",),
    "tab in the value": (b"A: b\tc",),
    "spaces around the value": (b"A: \t b \t",),
    "byte A0 around the value": (b"A: \xa0b\xa0",),
    "parenthesis in the name": (b"A(b): c",),
    "quote in the name": (b'"A": b',),
    "underscore in the name": (b"A_B: c",),
    "folded with a space": (b"A: b", b" c"),
    "folded with a tab": (b"A: b", b"\tc"),
    "folded, an empty fold": (b"A: b", b" ", b"C: d"),
    "bare LF within a value": (b"A: b\nContent-Length: 0",),
    "bare LF that adds a chunked body": (b"A: b\nTransfer-Encoding: chunked",),
    "bare CR within a value": (b"A: b\rContent-Length: 0",),
    "bare CR that adds a chunked body": (b"A: b\rTransfer-Encoding: chunked",),
    "CR CR LF": (b"A: b\r",),
    "CR CR LF and a field": (b"A: b\r\r\nC: d",),
    "LF CR": (b"A: b\n\rC: d",),
    "an empty line with a space": (b"A: b", b" "),
    "a name of three thousand bytes": (b"A" * 3000 + b": b",),
}


def lines() -> Iterator[Stream]:
    """All of them."""
    length = length_of(SMUGGLED)
    for name, line in _REQUEST_LINES.items():
        yield Stream(f"request line: {name}", head(line, HOST, length), SMUGGLED + NEXT)
    for name, hosts in _HOSTS.items():
        yield Stream(f"Host: {name}", head(POST, *hosts, length), SMUGGLED + NEXT)
        absolute = POST.replace(b"/first", b"http://here/first")
        yield Stream(f"Host in absolute-form: {name}", head(absolute, *hosts), NEXT)
    fields = {name: (*given, length) for name, given in _HEADER_LINES.items()}
    yield from posts("header line", fields, SMUGGLED)
    yield Stream("header line: a fold first", head(POST, b" a: b", HOST, length), SMUGGLED + NEXT)
    yield from _line_ends()


def _line_ends() -> Iterator[Stream]:
    for body_name, field, body in (
        ("Content-Length", length_of(SMUGGLED), SMUGGLED),
        ("chunked", CHUNKED, chunked(SMUGGLED)),
    ):
        usual = head(POST, HOST, field)
        for name, request in {
            "bare LF everywhere": usual.replace(b"\r\n", b"\n"),
            "bare CR everywhere": usual.replace(b"\r\n", b"\r"),
            "bare LF after the request line": usual.replace(b"\r\n", b"\n", 1),
            "bare CR after the request line": usual.replace(b"\r\n", b"\r", 1),
            "bare LF after the last field": usual.removesuffix(b"\r\n\r\n") + b"\n\r\n",
            "bare LF at the end of the head": usual.removesuffix(b"\r\n") + b"\n",
            "bare CR at the end of the head": usual.removesuffix(b"\r\n") + b"\r",
            "LF LF at the end of the head": usual.removesuffix(b"\r\n\r\n") + b"\n\n",
            "CR CR LF at the end of the head": usual.removesuffix(b"\r\n") + b"\r\r\n",
            "a NUL at the end of the head": usual + b"\x00",
        }.items():
            yield Stream(f"line ends, {body_name}: {name}", request, body + NEXT)
    get = head(GET, HOST)
    yield Stream("line ends, no body: bare LF everywhere", get.replace(b"\r\n", b"\n"), NEXT)
    yield Stream("line ends, no body: all bare LF", b"", (get + NEXT).replace(b"\r\n", b"\n"))
