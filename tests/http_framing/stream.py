"""What one client writes to one connection, and the parts that such streams are made of.

The body of a first request looks like a request itself, for `/smuggled/now`, and a request for
`/next` follows it. A server that misses where the first one ends is caught with something else.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

HOST = b"Host: here"
# Its length has a letter in hexadecimal: 2a.
SMUGGLED = b"GET /smuggled/now HTTP/1.1\r\nHost: here\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: here\r\n\r\n"
POST = b"POST /first HTTP/1.1"
GET = b"GET /first HTTP/1.1"
CHUNKED = b"Transfer-Encoding: chunked"
LENGTH = b"Content-Length: %d"


@dataclass(frozen=True, slots=True)
class Stream:
    """The bytes, and what they try. `head` is the first head, as its sender means it."""

    id: str
    head: bytes
    rest: bytes

    @property
    def data(self) -> bytes:
        """All of it."""
        return self.head + self.rest


def head(line: bytes, *fields: bytes) -> bytes:
    """A head that has exactly these lines."""
    return b"\r\n".join([line, *fields, b"", b""])


def chunk(data: bytes) -> bytes:
    """One chunk in its plainest form."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def chunked(data: bytes) -> bytes:
    """A whole chunked body: one chunk, no trailer."""
    return chunk(data) + b"0\r\n\r\n"


def length_of(body: bytes) -> bytes:
    """The Content-Length field of this body."""
    return LENGTH % len(body)


def posts(family: str, fields: Mapping[str, Iterable[bytes]], body: bytes) -> Iterator[Stream]:
    """One POST for each entry of `fields`, with this body, and the next request."""
    for name, lines in fields.items():
        yield Stream(f"{family}: {name}", head(POST, HOST, *lines), body + NEXT)
