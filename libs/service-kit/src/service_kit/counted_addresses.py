"""Which address a caller is counted under, and when addresses tell nobody apart."""

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, Self

from service_kit.client_address import Network, parse_address, parse_trusted_proxies

# What one subscriber has of IPv6 at the least: the rest is theirs to choose (RFC 6177 2).
_SUBSCRIBER_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class CountedAddresses:
    """Keys for budgets by address.

    Outside development something ends TLS in front of a service. Unless it is told who that is,
    every request has that one's address, and one stranger could spend everybody's budget. So
    without trusted proxies nobody is counted by address. The same holds for a single request that
    comes from a trusted proxy and names nobody.
    """

    trusted: tuple[Network, ...]
    are_known: bool

    @classmethod
    def behind(cls, trusted_proxies: str, *, is_development: bool) -> Self:
        """Read the networks of the proxies; `none` says that the peers are the callers."""
        return cls(
            parse_trusted_proxies(trusted_proxies),
            are_known=is_development or bool(trusted_proxies.strip()),
        )

    def key(self, address: str | None) -> str | None:
        """Whom to count for this address: IPv4 by address, IPv6 by /64; None for nobody."""
        parsed = parse_address(address) if address is not None and self.are_known else None
        if parsed is None or any(parsed in network for network in self.trusted):
            return None
        if isinstance(parsed, IPv6Address):
            return str(ipaddress.ip_network((parsed, _SUBSCRIBER_BITS), strict=False))
        return str(parsed)
