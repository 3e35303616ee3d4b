"""Whom an address stands for, and when it stands for nobody."""

import pytest

from service_kit.client_address import client_address
from service_kit.counted_addresses import CountedAddresses


def keys(addresses: CountedAddresses, address: str | None) -> list[str]:
    return [network.key for network in addresses.networks(address)]


DIRECT = CountedAddresses.behind("none", is_development=False)
BEHIND_A_PROXY = CountedAddresses.behind("10.0.0.0/8", is_development=False)


def test_ipv4_is_counted_by_address_and_by_24() -> None:
    assert keys(DIRECT, "192.0.2.1") == ["192.0.2.1/32", "192.0.2.0/24"]


def test_ipv6_is_counted_by_64_56_and_48() -> None:
    expected = ["2001:db8:0:1::/64", "2001:db8::/56", "2001:db8::/48"]
    assert keys(DIRECT, "2001:db8:0:1::1") == expected
    assert keys(DIRECT, "2001:db8:0:1:ffff:ffff:ffff:ffff") == expected
    assert keys(DIRECT, "2001:db8:0:2::1") == ["2001:db8:0:2::/64", *expected[1:]]
    assert keys(DIRECT, "2001:db8:1:1::1")[2] == "2001:db8:1::/48"


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_a_larger_network_has_a_larger_budget(address: str) -> None:
    shares = [network.share for network in DIRECT.networks(address)]
    assert shares[0] == 1
    assert shares == sorted(set(shares))


def test_who_has_no_address_is_counted_as_nobody() -> None:
    assert DIRECT.networks(None) == ()
    assert DIRECT.networks("a-unix-socket") == ()


def test_ipv4_that_a_dual_stack_socket_sees_is_ipv4() -> None:
    assert keys(DIRECT, "::ffff:192.0.2.1") == ["192.0.2.1/32", "192.0.2.0/24"]


@pytest.mark.parametrize("unset", ["", "  "])
def test_behind_a_proxy_that_nobody_named_nobody_is_counted_by_address(unset: str) -> None:
    unknown = CountedAddresses.behind(unset, is_development=False)
    assert not unknown.are_known
    assert unknown.networks("192.0.2.1") == ()


def test_in_development_there_is_no_proxy() -> None:
    in_development = CountedAddresses.behind("", is_development=True)
    assert keys(in_development, "127.0.0.1")[0] == "127.0.0.1/32"


def test_a_proxy_that_says_nothing_of_its_caller_is_not_counted_for_everybody_behind_it() -> None:
    silent = client_address("10.1.2.3", [], BEHIND_A_PROXY.trusted)
    assert BEHIND_A_PROXY.networks(silent) == ()


def test_a_stranger_cannot_escape_by_naming_a_trusted_address() -> None:
    address = client_address("10.1.2.3", [b"10.9.9.9, 198.51.100.9"], BEHIND_A_PROXY.trusted)
    assert keys(BEHIND_A_PROXY, address)[0] == "198.51.100.9/32"


def test_none_says_that_the_peers_are_the_callers() -> None:
    assert DIRECT.are_known
    assert DIRECT.trusted == ()
    assert keys(DIRECT, "198.51.100.9")[0] == "198.51.100.9/32"
