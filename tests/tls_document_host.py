"""A website on this machine, with TLS of an authority of its own, as a document's host."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from aiohttp.abc import ResolveResult
from certificates import CertificateAuthority

from auth_server.client_documents.checked_connector import CheckedResolver
from auth_server.client_documents.documents import DocumentUnavailable

HOST = "client.example"
# What the tests' resolver says: a public address, for which the tests' rule lets 127.0.0.1 stand.
LOCAL = "127.0.0.1"

URL = f"https://{HOST}/oauth/client.json"
MAX_BYTES = 5 * 1024
DOCUMENT = {"client_id": URL, "client_name": "A client", "redirect_uris": ["https://c.example/"]}
GOOD = json.dumps(DOCUMENT).encode()

Respond = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Names:
    """A resolver that answers what it is told, one answer a question, and counts the questions."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.hangs = False

    async def __call__(self, host: str) -> Sequence[str]:
        """The next answer; the last one stays."""
        self.asked.append(host)
        if self.hangs:
            await asyncio.Event().wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not answer:
            raise OSError("no such name")
        return answer

    def close(self) -> None:
        """Nothing is held."""


class AtPort(CheckedResolver):
    """The resolver of production, except that https is not on port 443 in a test."""

    port = 0

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """What production would connect to, at the port of the test's server."""
        del family
        found = await super().resolve(host, port)
        return [ResolveResult(**{**one, "port": self.port}) for one in found]


class DocumentHost:
    """Answers every request with `respond`, and remembers the requests."""

    def __init__(self, server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> None:
        self.server_context = server_context
        self.client_context = client_context
        self.respond: Respond = answer(b"{}")
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, with one request."""
        self.connections += 1
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            await self.respond(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # who asked has gone, as the test wants it
        finally:
            writer.transport.abort()


@contextmanager
def unavailable(reason: str | None = None) -> Iterator[None]:
    """What is inside must find no document, and say nothing of what was published."""
    with pytest.raises(DocumentUnavailable, match=reason) as raised:
        yield
    assert "A client" not in str(raised.value)


def answer(
    body: bytes,
    *,
    status: str = "200 OK",
    content_type: str | None = "application/json",
    **more: str,
) -> Respond:
    """Answer at once; `more` are headers, with underscores for hyphens."""
    headers = {"Content-Length": str(len(body)), "Connection": "close"}
    if content_type is not None:
        headers["Content-Type"] = content_type
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)
        await writer.drain()

    return respond


@asynccontextmanager
async def document_host(folder: Path, *, host: str = HOST) -> AsyncIterator[DocumentHost]:
    """Start a server whose certificate is for `host`, by an authority of its own."""
    authority = CertificateAuthority()
    server = DocumentHost(authority.server_context(host, folder), authority.client_context())
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listening = await asyncio.start_server(connected, LOCAL, 0, ssl=server.server_context)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
