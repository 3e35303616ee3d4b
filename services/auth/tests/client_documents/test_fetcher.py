"""The fetcher against a real TLS server: where it connects to, and where it never does."""

from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp
import pytest
from tls_document_host import (
    DOCUMENT,
    GOOD,
    HOST,
    LOCAL,
    MAX_BYTES,
    URL,
    AtPort,
    DocumentHost,
    Names,
    answer,
    unavailable,
)

from auth_server.client_documents.checked_connector import checked_connector
from auth_server.client_documents.fetcher import HttpDocuments, open_documents
from auth_server.client_documents.public_addresses import is_public
from auth_server.domain.document_hosts import DocumentHosts

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
Open = Callable[..., HttpDocuments]


async def test_a_document_is_fetched_over_tls_from_the_address_that_was_checked(
    host: DocumentHost, open_fetcher: Open
) -> None:
    names = Names([LOCAL])
    fetched = await open_fetcher(names)(URL, max_bytes=MAX_BYTES)
    assert fetched.content == DOCUMENT
    assert fetched.fresh_for is None
    assert names.asked == [HOST]
    [request] = host.requests
    head = request.decode().lower()
    assert head.startswith("get /oauth/client.json http/1.1\r\n")
    assert f"\r\nhost: {HOST}\r\n" in head
    assert "\r\naccept-encoding: identity\r\n" in head
    assert "\r\nconnection: close\r\n" in head
    assert "cookie" not in head
    assert "authorization" not in head


async def test_nothing_is_remembered_from_one_fetch_to_the_next(
    host: DocumentHost, open_fetcher: Open
) -> None:
    names = Names([LOCAL])
    fetch = open_fetcher(names)
    host.respond = answer(GOOD, Set_Cookie="spy=1; Path=/")
    await fetch(URL, max_bytes=MAX_BYTES)
    await fetch(URL, max_bytes=MAX_BYTES)
    assert len(names.asked) == host.connections == 2
    assert b"cookie" not in host.requests[1].lower()


async def test_the_proxy_of_the_environment_is_not_asked(
    open_fetcher: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    await open_fetcher()(URL, max_bytes=MAX_BYTES)


async def test_a_name_that_changes_after_the_check_changes_nothing(
    host: DocumentHost, open_fetcher: Open
) -> None:
    # DNS rebinding: the second answer would lead elsewhere, but nobody asks a second time.
    names = Names([LOCAL], ["127.0.0.2"])
    await open_fetcher(names)(URL, max_bytes=MAX_BYTES)
    assert names.asked == [HOST]
    assert host.connections == 1


async def test_a_name_that_leads_to_loopback_the_second_time_is_refused_then(
    host: DocumentHost, open_fetcher: Open
) -> None:
    public = "93.184.215.14"
    names = Names([LOCAL], [public, LOCAL])
    fetch = open_fetcher(names)
    await fetch(URL, max_bytes=MAX_BYTES)
    with unavailable("not public"):
        await fetch(URL, max_bytes=MAX_BYTES)
    assert host.connections == 1


@pytest.mark.standard("CIMD draft 8.6")
@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["fd00:ec2::254"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["93.184.215.14", "127.0.0.1"],  # one bad address spoils all
        ["2606:4700::6810:84e5", "fe80::1%eth0"],
        [f"93.184.215.{n}" for n in range(14, 32)],  # too many
    ],
)
async def test_under_the_rule_of_production_no_connection_is_made_to_any_of_these(
    host: DocumentHost, open_fetcher: Open, addresses: list[str]
) -> None:
    with unavailable("not public|too many"):
        await open_fetcher(Names(addresses), is_public)(URL, max_bytes=MAX_BYTES)
    assert host.connections == 0


async def test_a_name_without_an_address_is_no_document(open_fetcher: Open) -> None:
    with unavailable("OSError"):
        await open_fetcher(Names([]), is_public)(URL, max_bytes=MAX_BYTES)


async def test_even_an_address_that_no_resolver_was_asked_about_is_checked() -> None:
    # The connector by itself, past the rules for URLs: aiohttp resolves no address literals.
    resolver = AtPort(Names([LOCAL]), is_public)
    async with aiohttp.ClientSession(connector=checked_connector(resolver, True)) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as raised:
            await session.get("https://127.0.0.1/")
    assert isinstance(raised.value.os_error, OSError)
    assert "not public" in str(raised.value.os_error)


async def test_the_fetcher_of_production_refuses_a_real_server_on_this_machine(
    host: DocumentHost,
) -> None:
    documents = open_documents(DocumentHosts(), lambda: NOW)
    try:
        for url in (f"https://127.0.0.1:{host.port}/", "https://localhost/", "https://[::1]/"):
            with unavailable():
                await documents(url, max_bytes=MAX_BYTES)
    finally:
        await documents.close()
    assert host.connections == 0


async def test_a_host_that_the_operator_denies_is_not_even_looked_up(open_fetcher: Open) -> None:
    names = Names([LOCAL])
    with unavailable("not allowed"):
        await open_fetcher(names, hosts=DocumentHosts.parse("", HOST))(URL, max_bytes=MAX_BYTES)
    assert names.asked == []


async def test_a_certificate_for_another_name_is_refused(
    host: DocumentHost, open_fetcher: Open
) -> None:
    with unavailable("SSLCertVerificationError"):
        await open_fetcher()("https://other.example/doc", max_bytes=MAX_BYTES)
    assert host.requests == []


async def test_a_certificate_of_an_unknown_authority_is_refused(host: DocumentHost) -> None:
    resolver = AtPort(Names([LOCAL]), lambda address: address == LOCAL)
    resolver.port = host.port
    documents = HttpDocuments(resolver, DocumentHosts(), lambda: NOW)
    try:
        with unavailable("SSLCertVerificationError"):
            await documents(URL, max_bytes=MAX_BYTES)
    finally:
        await documents.close()
    assert host.requests == []


async def test_a_host_that_the_operator_rules_out_is_not_even_looked_up() -> None:
    names = Names([LOCAL])
    hosts = DocumentHosts.parse("other.example", "")
    documents = HttpDocuments(AtPort(names, is_public), hosts, lambda: NOW)
    try:
        with unavailable("not allowed"):
            await documents(URL, max_bytes=MAX_BYTES)
    finally:
        await documents.close()
    assert names.asked == []
