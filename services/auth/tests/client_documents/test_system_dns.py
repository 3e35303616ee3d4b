"""The system's resolver, asked for absolute names in threads of its own."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from auth_server.client_documents.checked_connector import CheckedResolver, SystemDns
from auth_server.client_documents.public_addresses import is_public


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What getaddrinfo is asked for; it answers with an address of each family."""
    names: list[str] = []

    def getaddrinfo(host: str, _port: None, **_: Any) -> list[tuple[Any, ...]]:
        names.append(host)
        if host == "gone.example.":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        tcp = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [
            (socket.AF_INET6, *tcp, ("2606:4700::6810:84e5", 0, 0, 0)),
            (socket.AF_INET, *tcp, ("104.16.132.229", 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


async def test_the_name_is_asked_for_as_an_absolute_one_that_no_search_domain_completes(
    asked: list[str],
) -> None:
    dns = SystemDns()
    assert await dns("client.example") == ["2606:4700::6810:84e5", "104.16.132.229"]
    assert asked == ["client.example."]
    dns.close()


async def test_both_families_are_connected_at_the_port_that_was_asked_for(
    asked: list[str],
) -> None:
    resolver = CheckedResolver(SystemDns(), is_public)
    found = await resolver.resolve("client.example", 443, socket.AF_INET)
    assert [(one["host"], one["port"], one["family"]) for one in found] == [
        ("2606:4700::6810:84e5", 443, socket.AF_INET6),
        ("104.16.132.229", 443, socket.AF_INET),
    ]
    assert len(asked) == 1
    await resolver.close()


@pytest.mark.usefixtures("asked")
async def test_a_name_that_is_not_there_is_an_os_error() -> None:
    dns = SystemDns()
    with pytest.raises(OSError, match="no such name"):
        await dns("gone.example")
    dns.close()


async def test_name_servers_that_never_answer_do_not_hold_up_the_names_of_others(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    """A look-up that was given up holds its thread until the system gives it up as well."""
    answer, system = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: str, port: None, **options: Any) -> list[Any]:
        if host.startswith("slow"):
            answer.wait()
        return list(system(host, port, **options))

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    dns = SystemDns()
    # As many as a minute's budget of one address at /authorize asks for in half a minute.
    slow = [asyncio.ensure_future(dns(f"slow{number}.example")) for number in range(150)]
    try:
        assert await asyncio.wait_for(dns("client.example"), 5)
    finally:
        answer.set()
        await asyncio.gather(*slow)
        dns.close()
    assert len(asked) == 151
