"""What h11 sees: a parser of HTTP/1.1, written from the RFCs, that owes nothing to ours."""

import re

import h11
from http_framing.seen import Seen, origin_form

_EMPTY_LINES = re.compile(rb"\A[\r\n]+")


def seen_by_h11(data: bytes) -> list[Seen]:
    """Every request, as h11's documented loop of a server finds them, until it refuses one."""
    seen: list[Seen] = []
    rest: bytes | None = data
    while rest:
        # An empty line before a request is to be ignored (RFC 9112 section 2.2). h11 refuses it;
        # nothing depends on that, so it is not shown any.
        rest = _one(_EMPTY_LINES.sub(b"", rest), seen)
    return seen


def _one(data: bytes, seen: list[Seen]) -> bytes | None:
    """Add the next request; return what follows it, or None if h11 would read no further."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request = None
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return None
        if event is h11.NEED_DATA:
            return None
        if isinstance(event, h11.Request):
            request = Seen(event.method, origin_form(event.target), fields=list(event.headers))
            seen.append(request)
        elif request is not None and isinstance(event, h11.Data):
            request.body += event.data
        elif request is not None and isinstance(event, h11.EndOfMessage):
            request.is_whole = True
            return _after_answer(connection)


def _after_answer(connection: h11.Connection) -> bytes | None:
    # Whatever protocol the client wants to change to, this server does not: 405 denies CONNECT.
    for event in (h11.Response(status_code=405, headers=[]), h11.EndOfMessage()):
        connection.send(event)
    if connection.our_state is h11.MUST_CLOSE:
        return None
    connection.start_next_cycle()
    return connection.trailing_data[0]
