"""Connections to public addresses only: each address is checked where it is used.

A name may resolve to one address when it is checked and to another when it is connected (DNS
rebinding). Here it is resolved once, every address is checked, and only those are connected. A
socket is made for a checked address or not at all, whatever led to it.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

import aiohttp
from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

from auth_server.client_documents.public_addresses import is_public

IsAllowed = Callable[[str], bool]

DNS_TIMEOUT_SECONDS: Final = 3.0
# A look-up that was given up keeps its thread until the system gives it up as well, which takes
# some ten seconds: more threads than fetches at once, or slow name servers would stop all of them.
DNS_THREADS: Final = 256
MOST_ADDRESSES: Final = 16


class AddressRefused(OSError):
    """The name leads to an address that is not to be connected, or to none."""


class Dns(Protocol):
    """Finds the addresses of a name."""

    async def __call__(self, host: str) -> Sequence[str]:
        """Every address of the host; raise OSError."""

    def close(self) -> None:
        """Give up what is still asked for."""


class SystemDns:
    """The system's resolver, in threads of its own.

    A stranger's name servers may take their time: they must not hold up the look-ups of PingOne or
    the database, which share the event loop's threads.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(DNS_THREADS, thread_name_prefix="document-dns")

    async def __call__(self, host: str) -> Sequence[str]:
        """Every address of the host; raise OSError."""
        # The dot ends the name: no search domain of the cluster makes another one of it.
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, _look_up, f"{host}."
        )
        return [str(address[0]) for *_, address in found]

    def close(self) -> None:
        """Wait for nothing: what is still asked for, nobody wants any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class CheckedResolver(AbstractResolver):
    """Asks once, in bounded time, and returns all addresses or, if one is not allowed, none."""

    def __init__(self, dns: Dns, is_allowed: IsAllowed = is_public) -> None:
        self._dns = dns
        self.is_allowed = is_allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses to connect to; `family` does not matter: both are asked for."""
        del family
        async with asyncio.timeout(DNS_TIMEOUT_SECONDS):
            addresses = list(dict.fromkeys(await self._dns(host)))
        if not 1 <= len(addresses) <= MOST_ADDRESSES:
            raise AddressRefused("the name has no address, or too many")
        if not all(self.is_allowed(address) for address in addresses):
            raise AddressRefused("the name leads to an address that is not public")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Give up what is still asked for."""
        self._dns.close()


def checked_connector(
    resolver: CheckedResolver, context: ssl.SSLContext | bool
) -> aiohttp.TCPConnector:
    """A connector without a memory: no name and no connection is used again."""

    def checked_socket(info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if not resolver.is_allowed(str(address[0])):
            raise AddressRefused("the address is not public")
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(
        resolver=resolver,
        use_dns_cache=False,
        force_close=True,
        limit=0,  # who asks is bounded: waiting in here would count as the host's time
        ssl=context,
        socket_factory=checked_socket,
    )


def _look_up(name: str) -> list[tuple[Any, ...]]:
    return list(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
