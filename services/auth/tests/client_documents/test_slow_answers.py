"""A host that is never silent and never done: the bound is for the whole, not for each read."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest
from tls_document_host import GOOD, LOCAL, MAX_BYTES, URL, DocumentHost, Names, Respond, unavailable

from auth_server.client_documents import fetcher
from auth_server.client_documents.fetcher import HttpDocuments, open_documents
from auth_server.domain.document_hosts import DocumentHosts

Open = Callable[..., HttpDocuments]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DRIP_SECONDS = 0.02


def dripping(at_once: bytes, bit_by_bit: Iterable[bytes]) -> Respond:
    """Answer a bit at a time, each of them well before any time-out of a read."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(at_once)
        for bit in bit_by_bit:
            writer.write(bit)
            await writer.drain()
            await asyncio.sleep(DRIP_SECONDS)

    return respond


@pytest.mark.parametrize(
    "slow",
    [
        dripping(HEAD + b"\r\n", [GOOD[:1], *[b" "] * 1000]),
        dripping(HEAD, [b"X-Padding: %d\r\n" % number for number in range(1000)]),
        dripping(b"", [bytes([byte]) for byte in HEAD * 20]),
    ],
    ids=["body", "headers", "status line"],
)
async def test_a_document_that_arrives_bit_by_bit_is_given_up_in_time(
    host: DocumentHost, open_fetcher: Open, slow: Respond
) -> None:
    host.respond = slow
    with unavailable("in time"):
        await open_fetcher(timeout_seconds=0.3)(URL, max_bytes=MAX_BYTES)
    assert host.connections == 1


async def test_production_gives_a_document_five_seconds_with_its_name_and_tls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names([LOCAL])
    names.hangs = True
    monkeypatch.setattr(fetcher, "SystemDns", lambda: names)
    documents = open_documents(DocumentHosts(), lambda: datetime(2026, 11, 2, tzinfo=UTC))
    loop = asyncio.get_running_loop()
    started = loop.time()
    # Each time-out that is set, instead of the waiting.
    deadlines: list[float] = []
    call_at = loop.call_at

    def soon(when: float, *rest: object, **options: object) -> asyncio.TimerHandle:
        deadlines.append(round(when - started, 1))
        return call_at(min(when, started + 0.05), *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_at", soon)
    with unavailable("in time"):
        await documents(URL, max_bytes=MAX_BYTES)
    await documents.close()
    assert deadlines[0] == 5
    assert names.asked == ["client.example"]
