"""Which IP addresses are the public internet: everything that is not is refused (RFC 6890).

A document's URL is a stranger's choice. Behind an address of any other kind may be this machine, a
neighbour in the cluster, or the cloud's metadata service.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

_IPV4: Final = tuple(
    ip_network(one)
    for one in (
        "0.0.0.0/8",  # this host, this network
        "10.0.0.0/8",  # private use
        "100.64.0.0/10",  # shared by carriers (RFC 6598), and some clouds' metadata services
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and most clouds' metadata services
        "172.16.0.0/12",  # private use
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.168.0.0/16",  # private use
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and limited broadcast
    )
)

# The unicast addresses that have been given out (RFC 4291 2.4). Outside are among others loopback,
# unspecified, IPv4-mapped, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard, unique local (and in it
# fd00:ec2::254), link-local, site-local and multicast.
_IPV6_UNICAST: Final = IPv6Network("2000::/3")
_IPV6: Final = tuple(
    ip_network(one)
    for one in (
        "2001::/23",  # protocol assignments, with Teredo, benchmarking and ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: the IPv4 address inside may be any
        "3fff::/20",  # documentation
    )
)


def is_public(address: str) -> bool:
    """True if this is an address of the public internet, in the form that getaddrinfo gives."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    # The registry that Python knows, too: what it calls special and the lists do not is refused.
    return _is_listed(parsed) and parsed.is_global and not parsed.is_multicast


def _is_listed(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _IPV4)
    # A scope (fe80::1%eth0) makes any address one of this machine's own network.
    if address.scope_id is not None or address not in _IPV6_UNICAST:
        return False
    return not any(address in network for network in _IPV6)
