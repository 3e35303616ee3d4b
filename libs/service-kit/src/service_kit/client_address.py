"""Whose request it is: the peer, or what trusted proxies say of it, and nothing a stranger claims.

A background task inherits the address of the request that started it, as any ContextVar: who
records something that the system does by itself does not ask here.
"""

import ipaddress
from collections.abc import Iterable
from contextvars import ContextVar
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

FORWARDED_FOR: Final = b"x-forwarded-for"
# Says that there is no proxy, as opposed to nothing, which says nothing.
NO_PROXIES: Final = "none"
# More proxies in a row than anybody has; what stands further to the left is not looked at.
MAX_PROXIES: Final = 16
_MAX_ENTRY_LENGTH: Final = 64  # a full IPv6 address in brackets with a port has 47

_current: ContextVar[str | None] = ContextVar("client_address", default=None)


def current_client_address() -> str | None:
    """The address that the request at hand came from; None outside requests."""
    return _current.get()


def parse_trusted_proxies(value: str) -> tuple[Network, ...]:
    """Read comma separated addresses and networks, or `none`; raise ValueError naming the wrong."""
    if value.strip() == NO_PROXIES:
        return ()
    return tuple(_parse_network(entry.strip()) for entry in value.split(",") if entry.strip())


def client_address(
    peer: str | None, forwarded_for: Iterable[bytes], trusted: tuple[Network, ...]
) -> str | None:
    """The nearest address that no trusted proxy has; None if the peer has none (a Unix socket).

    `forwarded_for` are the header's lines in their order. They are read from the right, for each
    proxy appends what it saw: an entry counts only if the one who wrote it is trusted. Behind an
    entry that is no address, the chain ends at who wrote it.
    """
    address = None if peer is None else parse_address(peer.partition("%")[0])
    if address is None:
        return None
    entries = b",".join(forwarded_for).rsplit(b",", MAX_PROXIES)[-MAX_PROXIES:]
    for entry in reversed(entries):
        if not any(address in network for network in trusted):
            break
        forwarded = _parse_entry(entry)
        if forwarded is None:
            break
        address = forwarded
    return str(address)


class ClientAddress:
    """Pure ASGI middleware: sets `scope["client"]` and current_client_address() for a request."""

    def __init__(self, app: ASGIApp, trusted: tuple[Network, ...]) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its address; to be the outermost layer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        peer, port = scope.get("client") or (None, 0)
        lines = (value for name, value in scope["headers"] if name.lower() == FORWARDED_FOR)
        address = client_address(peer, lines, self._trusted)
        # The port of somebody behind a proxy is not known.
        client = None if address is None else (address, port if address == peer else 0)
        token = _current.set(address)
        try:
            await self._app({**scope, "client": client}, receive, send)
        finally:
            _current.reset(token)


def _parse_network(entry: str) -> Network:
    try:
        network = ipaddress.ip_network(entry)
    except ValueError:
        raise ValueError(
            f"{entry[:_MAX_ENTRY_LENGTH]!r} is not an address or network such as 10.0.0.0/8"
        ) from None
    if network.prefixlen == 0:
        raise ValueError(f"{entry!r} trusts everybody: each caller could choose its address")
    return network


def _parse_entry(entry: bytes) -> Address | None:
    text = entry.strip(b" \t").decode("latin-1")
    if len(text) > _MAX_ENTRY_LENGTH:
        return None
    if text.startswith("["):  # [2001:db8::1] or [2001:db8::1]:443
        host, bracket, rest = text[1:].partition("]")
        is_well_formed = bracket == "]" and (not rest or _is_port(rest))
        return parse_address(host) if is_well_formed else None
    if text.count(":") == 1:  # 192.0.2.1:443; two or more make it a bare IPv6 address
        host, _, port = text.partition(":")
        return parse_address(host) if _is_port(f":{port}") else None
    return parse_address(text)


def _is_port(text: str) -> bool:
    return text[0] == ":" and text[1:].isascii() and text[1:].isdigit()


@lru_cache(maxsize=4096)  # parsing costs as much as everything else here, and callers come again
def parse_address(text: str) -> Address | None:
    """Read an address, IPv4 if it is one in IPv6's clothes; None for anything else."""
    # A zone ("%eth0") names an interface of whoever wrote it, and is free text.
    if "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # ::ffff:192.0.2.1 is how a dual-stack socket sees 192.0.2.1.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
