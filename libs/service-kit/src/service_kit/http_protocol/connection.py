"""One connection: uvicorn's HTTP/1.1 protocol, fed with one request at a time.

The parser, httptools, gets a head that was found and checked before (head), then the body that this
head declares (body), then nothing until the answer is out. So it never leaves a request early, as
it does at Upgrade and CONNECT, and no request waits in a queue. The size of a body is bounded by
the applications, see body_limit.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import httptools
import structlog
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service_kit.http_protocol.body import Body
from service_kit.http_protocol.head import HeadReader, Refused, body_length, origin_form
from service_kit.http_protocol.output import OutputWatch

# From the first byte of a head to its last; and from the connection to a first head.
HEAD_SECONDS: Final = 20.0
# How long what a client still sends is read and thrown away, so that it can read its answer: a
# connection that is closed with unread bytes is reset, and what was written may be lost.
LINGER_SECONDS: Final = 5.0
# Received behind a request that is being answered; then nothing more is read, except what the last
# read returned, which is 256 KiB at the most.
MAX_AHEAD_BYTES: Final = 64 * 1024

_TOO_SLOW: Final = Refused(b"408 Request Timeout", "The head of the request took too long.")
_MALFORMED: Final = Refused(b"400 Bad Request", "This is not a well-formed HTTP/1.1 request.")

_log = structlog.get_logger(__name__)


class _Flow(FlowControl):
    """Reads on only when there is room. uvicorn asks for it at each answer and each receive."""

    def __init__(self, transport: asyncio.Transport, has_room: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._has_room = has_room

    def resume_reading(self) -> None:
        if self._has_room():
            super().resume_reading()


class _Answering:
    """The transport as the answer to a request sees it, whose end is ours to decide."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info
        self.abort = transport.abort
        self.close = close


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A request that exceeds a bound is refused, and the connection closed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._received = bytearray()  # what the parser has not seen yet
        self._head = HeadReader()
        # What follows a request after which the connection closes is an error, and not ignored.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self._is_in_head = self._is_in_body = self._is_lingering = False
        self._has_cycle = False  # the application has a request that is not over on both sides
        self._body = Body(0)
        self._deadline: asyncio.TimerHandle | None = None
        self._output = OutputWatch()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first request, though not for ever."""
        super().connection_made(transport)
        self._answering: Any = _Answering(transport, self._end)
        self.flow = _Flow(transport, lambda: len(self._received) <= MAX_AHEAD_BYTES)
        self._start_deadline(HEAD_SECONDS)
        self._output.start(self.loop, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._stop_deadline()
        self._output.stop()
        self._received.clear()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client has to take something before more is written."""
        self._output.has_moved = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has taken something."""
        self._output.has_moved = True
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Keep what arrived, and read as far as one request goes."""
        if not self._is_lingering:
            self._received += data
            self._advance()

    def _advance(self) -> None:
        try:
            while self._received and not (self._is_lingering or self.transport.is_closing()):
                if self._is_in_body:
                    self._read_body()
                elif self._has_cycle:
                    # It came before its turn (RFC 9112 section 9.3.2).
                    self.flow.pause_reading()
                    return
                elif not self._read_head():
                    return
        except Refused as refused:
            self._refuse(refused)

    def _read_head(self) -> bool:
        """Give a whole head to the parser, and so to the application; False if it is partial."""
        self._stop_keep_alive()
        head = self._head.take(self._received)
        if head is None:
            if not self._is_in_head:
                self._is_in_head = True
                self._start_deadline(HEAD_SECONDS)
            self.flow.resume_reading()
            return False
        self._stop_deadline()
        self._is_in_head, self._is_in_body = False, True
        self._parse(head)
        if self._is_in_body and not self._has_cycle:
            raise _MALFORMED  # the parser has not seen the head's end where this class did
        return True

    def _read_body(self) -> None:
        """Give the parser more of this body, and nothing of what follows it."""
        self._parse(self._body.take(self._received))
        self._body.check_bounds()

    def _parse(self, part: bytes) -> None:
        try:
            self.parser.feed_data(part)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            cause = error.__context__
            raise (cause if isinstance(cause, Refused) else _MALFORMED) from None
        if self._body.bytes_left is not None and self._is_in_body == (self._body.bytes_left == 0):
            raise _MALFORMED  # the parser and this class disagree about where the request ends

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take the value without the white space around it (RFC 9110 section 5.5).

        Behind the head it is a field of a trailer, which no application asks for (6.5.1).
        """
        if self._has_cycle:
            self._body.count_trailer_field(name, value)
        else:
            super().on_header(name, value.strip(b" \t"))

    def on_headers_complete(self) -> None:
        """The head is there; its request goes to the application if there is one reading of it."""
        version = self.parser.get_http_version()
        self._body = Body(body_length(version, self.url, self.headers))
        if version == "1.0":
            self.expect_100_continue = False  # RFC 9110 section 10.1.1
        self.url = origin_form(self.url)
        super().on_headers_complete()
        self.cycle.transport = self._answering
        self._has_cycle = True
        if self.expect_100_continue:
            # A client that has an answer, and was not told to go on, may still send the body or
            # not: what comes next on this connection would have two readings.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of the body, which the application bounds."""
        self._body.silent_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete, perhaps later than its answer."""
        self._is_in_body = False
        super().on_message_complete()
        if self.cycle.response_complete:
            self._forget_request()
            self._start_deadline(self.timeout_keep_alive)

    def on_response_complete(self) -> None:
        """The answer is out: read the rest of its request, or the next one, or wait for one."""
        super().on_response_complete()  # waits for a request, as long as uvicorn was told to
        if self._is_lingering or self.transport.is_closing():
            self._stop_keep_alive()
            return
        if self._is_in_body:
            self._stop_keep_alive()
            self._start_deadline(HEAD_SECONDS)
        else:
            self._forget_request()
        if self._received:
            self.loop.call_soon(self._advance)

    def _forget_request(self) -> None:
        """It is over on both sides. An idle connection keeps nothing of it."""
        self._has_cycle = False
        self.cycle = self.scope = self.headers = None  # type: ignore[assignment]

    def _stop_keep_alive(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def _start_deadline(self, seconds: float) -> None:
        self._stop_deadline()
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        """Close behind an answer; linger if the client is still sending its request."""
        if self._is_in_body:
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        """Let the client read to the end of what was written, and throw away what it sends."""
        if self.transport.is_closing():
            return
        self._is_lingering = True
        self._received.clear()
        self.flow.resume_reading()
        self._start_deadline(LINGER_SECONDS)
        self.transport.write_eof()

    def _give_up(self) -> None:
        if self._is_in_head and self._head.has_begun and not self._is_lingering:
            self._refuse(_TOO_SLOW)
        else:
            self.transport.close()  # nothing was asked, or it has been answered

    def _refuse(self, refused: Refused) -> None:
        """Answer in place of the application, unless it has answered; disconnect."""
        _log.info("http.refused", status=int(refused.status[:3]), reason=refused.text)
        if not self._has_cycle or not self.cycle.response_started:
            self.transport.write(self._refusal(refused))
        if self._has_cycle:
            # What the application writes from now on belongs to no request.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._linger()

    def _refusal(self, refused: Refused) -> bytes:
        text = refused.text.encode("ascii")
        fields = [
            *self.server_state.default_headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(text)),
            (b"connection", b"close"),
        ]
        lines = [b"HTTP/1.1 " + refused.status, *[b": ".join(field) for field in fields]]
        return b"\r\n".join([*lines, b"", text])
