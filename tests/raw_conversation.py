"""Requests written byte by byte to a real server, and every answer to them, wanted or not."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass

import h11

PATIENT_SECONDS = 30.0
SMUGGLED = b"GET /smuggled/now HTTP/1.1\r\nHost: here\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """One final answer."""

    status: int
    body: bytes


def request_head(line: bytes, *fields: bytes) -> bytes:
    """A head that has exactly these lines, and a Host."""
    return b"\r\n".join([line, b"Host: localhost", *fields, b"", b""])


def framed(body: bytes, *, is_chunked: bool) -> tuple[bytes, bytes]:
    """The header field that announces the body, and the body as it is sent."""
    if is_chunked:
        return b"Transfer-Encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return b"Content-Length: %d" % len(body), body


def converse(port: int, parts: Sequence[bytes], last: bytes) -> list[Answer]:
    """Write the parts, each when the server has read the one before, and then a last request.

    Returns all answers until the server closes, which `last` must make it do.
    """
    with socket.create_connection(("127.0.0.1", port), PATIENT_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            if not _is_sent(connection, part):
                break
            _let_it_read(port)
        _is_sent(connection, last)
        received = _until_closed(connection)
    return _answers(received)


def _is_sent(connection: socket.socket, data: bytes) -> bool:
    try:
        connection.sendall(data)
    except ConnectionError:  # it has refused what came before, and is gone
        return False
    return True


def _let_it_read(port: int) -> None:
    # The server has one loop: what came on another connection later is answered after it has read.
    with socket.create_connection(("127.0.0.1", port), PATIENT_SECONDS) as other:
        other.sendall(request_head(b"GET /nowhere HTTP/1.1", b"Connection: close"))
        assert _until_closed(other)


def _until_closed(connection: socket.socket) -> bytes:
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


def _answers(received: bytes) -> list[Answer]:
    answers: list[Answer] = []
    while received:
        client = h11.Connection(h11.CLIENT)
        # Only to have the parser wait for an answer: these bytes go nowhere.
        client.send(h11.Request(method="POST", target="/", headers=[("Host", "here")]))
        client.send(h11.EndOfMessage())
        client.receive_data(received)
        status, body = 0, b""
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            assert event is not h11.NEED_DATA, f"an answer is cut off: {received!r}"
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
        answers.append(Answer(status, body))
        received = client.trailing_data[0]
    return answers
