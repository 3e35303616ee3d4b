"""Which networks a caller is counted under, and when addresses tell nobody apart."""

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, Self

from service_kit.client_address import Network, parse_address, parse_trusted_proxies
from service_kit.rate_limits import Budget, Charge

# By the length of their prefixes, with what each may do in comparison to the smallest. One IPv6
# subscriber has a /64 at the least, and often all the others (RFC 6177 2): the addresses in them
# are theirs to choose. Who has a /24 of IPv4 has to pay for it, but not dearly.
_IPV6_SHARES: Final = {64: 1, 56: 4, 48: 16}
_IPV4_SHARES: Final = {32: 1, 24: 16}


@dataclass(frozen=True, slots=True)
class CountedNetwork:
    """A network that an address is in: its text, and how many times a budget it may spend."""

    key: str
    share: int

    def charge(self, budget: Budget, *key: str, cost: int = 1) -> Charge:
        """What somebody in this network is to spend of the budget."""
        return Charge(budget.times(self.share), (*key, self.key), cost)


@dataclass(frozen=True, slots=True)
class CountedAddresses:
    """The networks that budgets by address are counted under.

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

    def networks(self, address: str | None) -> tuple[CountedNetwork, ...]:
        """Whom to count for this address, the smallest network first; nothing for nobody.

        IPv4 is counted by address and /24, IPv6 by /64, /56 and /48.
        """
        parsed = parse_address(address) if address is not None and self.are_known else None
        if parsed is None or any(parsed in network for network in self.trusted):
            return ()
        shares = _IPV6_SHARES if isinstance(parsed, IPv6Address) else _IPV4_SHARES
        return tuple(
            CountedNetwork(str(ipaddress.ip_network((parsed, bits), strict=False)), share)
            for bits, share in shares.items()
        )
