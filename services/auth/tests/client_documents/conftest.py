"""A website on this machine, and a fetcher that may fetch from it."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tls_document_host import GOOD, LOCAL, AtPort, DocumentHost, Names, answer, document_host

from auth_server.client_documents.fetcher import HttpDocuments
from auth_server.domain.document_hosts import DocumentHosts

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)

Open = Callable[..., HttpDocuments]


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[DocumentHost]:
    async with document_host(tmp_path) as host:
        host.respond = answer(GOOD)
        yield host


def is_local(address: str) -> bool:
    """The address rule of most tests here. Production has no switch for it."""
    return address == LOCAL


@pytest.fixture
async def open_fetcher(host: DocumentHost) -> AsyncIterator[Open]:
    """A fetcher as in production, but for the address rule, the authority and the port."""
    opened: list[HttpDocuments] = []

    def make(
        names: Names | None = None,
        rule: Callable[[str], bool] = is_local,
        timeout_seconds: float = 5,
        hosts: DocumentHosts | None = None,
        port: int | None = None,
    ) -> HttpDocuments:
        resolver = AtPort(names or Names([LOCAL]), rule)
        resolver.port = port or host.port
        fetcher = HttpDocuments(
            resolver,
            hosts or DocumentHosts(),
            lambda: NOW,
            context=host.client_context,
            timeout_seconds=timeout_seconds,
        )
        opened.append(fetcher)
        return fetcher

    yield make
    for fetcher in opened:
        await fetcher.close()
