"""What nginx sees: it forwards each request at once, on a connection of its own, to a backend.

What it sends there is framed by nginx, and read without any doubt: a length, or plain chunks.
"""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

from http_framing.seen import Seen, origin_form
from nginx_process import running_nginx

_PATIENT_SECONDS = 30.0
_HTTP = """
    client_max_body_size 0;
    keepalive_requests 100000;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{backend};
            proxy_http_version 1.1;
            proxy_set_header Connection close;
            proxy_request_buffering off;
            proxy_ignore_client_abort on;
        }}
    }}
"""
_CONTROL = b"GET /control HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"


@dataclass
class _Backend:
    """Takes one connection after the other, and notes the request that is on it."""

    listener: socket.socket
    seen: "SimpleQueue[Seen]" = field(default_factory=SimpleQueue)

    def run(self) -> None:
        """Until the listener is shut down."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as reader, suppress(ConnectionError):
                connection.settimeout(_PATIENT_SECONDS)
                self.seen.put(_read_request(reader))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@dataclass(frozen=True)
class Nginx:
    """A running nginx in front of its backend."""

    port: int
    backend: _Backend

    def sees(self, *parts: bytes) -> list[Seen]:
        """Every request in these bytes, until nginx refuses one or the bytes end."""
        self._send(*parts)
        # The backend takes connections in order: once this one is there, so are all before it.
        self._send(_CONTROL)
        seen: list[Seen] = []
        while (request := self.backend.seen.get(timeout=_PATIENT_SECONDS)).target != b"/control":
            seen.append(request)
        return seen

    def _send(self, *parts: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.settimeout(_PATIENT_SECONDS)
            # It may have refused and gone before it was sent everything.
            with suppress(OSError):
                for part in parts:
                    client.sendall(part)
                client.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                while client.recv(65536):
                    pass


@contextmanager
def observing_nginx(folder: Path) -> Iterator[Nginx]:
    """Start both."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        held.close()
        backend = _Backend(listener)
        thread = threading.Thread(target=backend.run, name="backend")
        thread.start()
        try:
            http = _HTTP.format(port=port, backend=listener.getsockname()[1])
            with running_nginx(folder, http, port):
                yield Nginx(port, backend)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(_PATIENT_SECONDS)


def _read_request(reader: BinaryIO) -> Seen:
    method, target, _ = reader.readline().split(b" ")
    fields: list[tuple[bytes, bytes]] = []
    while (line := reader.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        fields.append((name.lower(), value.strip()))
    request = Seen(method, origin_form(target), fields=fields)
    lengths = dict(fields)
    if lengths.get(b"transfer-encoding") == b"chunked":
        _read_chunks(reader, request)
    else:
        length = int(lengths.get(b"content-length", b"0"))
        request.body = reader.read(length)
        request.is_whole = len(request.body) == length
    return request


def _read_chunks(reader: BinaryIO, request: Seen) -> None:
    while size := re.fullmatch(rb"([0-9a-f]+)\r\n", reader.readline()):
        wanted = int(size[1], 16)
        data = reader.read(wanted)
        request.body += data
        end = reader.readline()
        if len(data) < wanted or end != b"\r\n":
            return
        if wanted == 0:
            request.is_whole = True
            return
