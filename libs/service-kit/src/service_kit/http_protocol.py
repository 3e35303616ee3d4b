"""uvicorn's HTTP/1.1 protocol with bounds: a request's head is neither endless nor slow.

The parser, httptools, keeps whatever comes until a header is complete, and takes any number of
them, before an application is asked. Bodies are bounded by the applications, see body_limit.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# The request line and all header fields. A handle takes 60 bytes, the state of a sign-on a few KiB.
MAX_HEAD_BYTES: Final = 64 * 1024
# From the first byte of a head to its last; and from the connection to a first head.
HEAD_SECONDS: Final = 20.0

_TOO_LARGE: Final = b"431 Request Header Fields Too Large"
_TOO_SLOW: Final = b"408 Request Timeout"


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Who exceeds a bound is told so, and disconnected (RFC 6585 5)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._is_in_head = self._is_idle = False
        # What the parser has told of this message's header fields, and what it keeps to itself.
        self._parsed_bytes = self._untold_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first request, though not for ever."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and count what nothing was told of: an endless field of a head or a trailer."""
        untold = self._untold_bytes + len(data)
        # What one read returns is bounded, so that its rest after the last news need not be known.
        self._untold_bytes = -1
        super().data_received(data)
        self._untold_bytes = untold if self._untold_bytes < 0 else 0
        if self._untold_bytes > MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        if self._deadline is None and self._is_idle:
            # Whatever came, it was no request, and has ended the wait for one (keep-alive).
            self._await_head()

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        super().on_message_begin()
        self._is_in_head = True
        self._parsed_bytes = self._untold_bytes = 0
        self._await_head()

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        super().on_url(url)
        self._count(url)

    def on_body(self, body: bytes) -> None:
        """A part of the body, which the application bounds."""
        super().on_body(body)
        self._untold_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take the value without the white space around it (RFC 9110 section 5.5)."""
        super().on_header(name, value.strip(b" \t"))
        self._count(name, value)

    def on_headers_complete(self) -> None:
        """The head is there, and goes to the application."""
        self._is_in_head = self._is_idle = False
        self._head_is_there()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """An answer is out; the connection is kept for another request, or goes on with one."""
        super().on_response_complete()
        self._is_idle = self.cycle.response_complete

    def send_400_response(self, msg: str) -> None:
        """What uvicorn says of a head that the parser, or one of the methods above, refuses."""
        if self._parsed_bytes > MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        else:
            super().send_400_response(msg)

    def _count(self, *parts: bytes) -> None:
        self._untold_bytes = 0
        self._parsed_bytes += sum(map(len, parts))
        if self._parsed_bytes > MAX_HEAD_BYTES:
            raise ValueError("the head of the request is too large")  # the parser stops

    def _await_head(self) -> None:
        self._head_is_there()
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _head_is_there(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self._is_in_head:
            self._refuse(_TOO_SLOW)
        else:
            self.transport.close()  # nothing was asked, so nothing is answered

    def _refuse(self, status: bytes) -> None:
        self._is_in_head = False
        self.transport.write(
            b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        )
        self.transport.close()
