"""URLs that every program reads alike (RFC 3986), and no others.

Browsers, proxies and libraries disagree about odd ones: `http://[::1]evil.example/` has the host
::1 for some, `https://2130706433/` is 127.0.0.1 for others. Whoever decides by a URL asks here.
"""

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# RFC 3986 2 and no others: parsers drop line breaks, browsers turn backslashes around.
_CHARACTERS: Final = re.compile(
    r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+", re.ASCII
)
_PARTS: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://(?P<authority>[^/?#]*))?"
    r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.ASCII,
)
_AUTHORITY: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-f:]+)\]|(?P<name>[a-z0-9._-]+))(?P<port>:[^:]*)?", re.ASCII
)
_PORT: Final = re.compile(r":[1-9][0-9]{0,4}", re.ASCII)
_NAME: Final = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*(?P<last>[a-z0-9_-]{1,63})", re.ASCII)
# What browsers take for an IPv4 address, in whole or in part: 127.1, 0x7f.1, 0177.0.0.1, 2130706433
# (https://url.spec.whatwg.org/#ends-in-a-number-checker).
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_MAX_NAME_LENGTH: Final = 253  # RFC 1035 2.3.4, without the final dot
# What systems call this computer (RFC 6761 6.3, and the hosts files of Linux).
_NAMES_OF_THIS_COMPUTER: Final = frozenset(
    {
        *("localhost", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"),
        *("localhost.localdomain", "localhost4.localdomain4", "localhost6.localdomain6"),
    }
)


class ImproperUrl(ValueError):
    """The text is no URL, or one that programs read differently. It says what must change."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Host and port (RFC 3986 3.2). The host is in lower case, an IPv6 address without brackets."""

    host: str
    port: int | None
    address: IPv4Address | IPv6Address | None

    @property
    def is_loopback(self) -> bool:
        """True for localhost, 127.0.0.0/8 and ::1."""
        return self.host == "localhost" if self.address is None else self.address.is_loopback

    @property
    def is_this_computer(self) -> bool:
        """True for every host that browsers or systems take for the computer they run on."""
        if self.address is not None:
            return self.address.is_loopback or self.address.is_unspecified
        return self.host in _NAMES_OF_THIS_COMPUTER or self.host.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL. The scheme is in lower case; what is absent is None."""

    scheme: str
    authority: Authority | None
    path: str
    query: str | None
    fragment: str | None

    @property
    def shown_authority(self) -> str:
        """The host for people to read, with its port unless the scheme implies it; or nothing."""
        if self.authority is None:
            return ""
        host, port = self.authority.host, self.authority.port
        shown = f"[{host}]" if ":" in host else host
        return shown if port in (None, DEFAULT_PORTS.get(self.scheme)) else f"{shown}:{port}"


def parse_url(text: str) -> Url:
    """Read an absolute URL; raise ImproperUrl.

    Only http and https need a host. Takes time linear in the length of the text.
    """
    parts = _PARTS.fullmatch(text) if _CHARACTERS.fullmatch(text) else None
    if parts is None:
        raise ImproperUrl("must be an absolute URL without spaces or other foreign characters")
    scheme, authority = parts["scheme"].lower(), parts["authority"]
    if not authority and scheme in DEFAULT_PORTS:
        raise ImproperUrl("must name a host")
    return Url(
        scheme,
        parse_authority(authority) if authority else None,
        parts["path"],
        parts["query"],
        parts["fragment"],
    )


def parse_authority(text: str) -> Authority:
    """Read `host` or `host:port`; raise ImproperUrl.

    An address has its usual form: four decimal numbers (RFC 3986 3.2.2), or IPv6 as RFC 5952 writes
    it. A name does not end in a number, nor in a dot.
    """
    if "@" in text:
        raise ImproperUrl("must not have user information")
    parts = _AUTHORITY.fullmatch(text.lower()) if text.isascii() else None
    if parts is None:
        raise ImproperUrl("must name a host, in ASCII and without encoding")
    port = parts["port"]
    if port is not None and (_PORT.fullmatch(port) is None or int(port[1:]) > 65535):
        raise ImproperUrl("must have a port between 1 and 65535, or none")
    host = parts["ipv6"] or parts["name"]
    address = _address(host)
    if address is None and (parts["ipv6"] or not _is_name(host)):
        raise ImproperUrl("must name a host by a name, or by an address in its usual form")
    return Authority(host, int(port[1:]) if port else None, address)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    # An IPv4 address in IPv6's clothes is written in two ways, and understood in more.
    is_mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    return None if is_mapped or str(address) != host else address


def _is_name(host: str) -> bool:
    name = _NAME.fullmatch(host) if len(host) <= _MAX_NAME_LENGTH else None
    return name is not None and _NUMBER.fullmatch(name["last"]) is None
