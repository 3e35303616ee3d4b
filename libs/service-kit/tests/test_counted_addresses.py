"""Whom an address stands for, and when it stands for nobody."""

import pytest

from service_kit.client_address import client_address
from service_kit.counted_addresses import CountedAddresses

DIRECT = CountedAddresses.behind("none", is_development=False)
BEHIND_A_PROXY = CountedAddresses.behind("10.0.0.0/8", is_development=False)


def test_ipv4_is_counted_by_address() -> None:
    assert DIRECT.key("192.0.2.1") != DIRECT.key("192.0.2.2")


def test_two_addresses_of_one_64_are_one_and_two_64s_are_two() -> None:
    assert DIRECT.key("2001:db8:0:1::1") == DIRECT.key("2001:db8:0:1:ffff:ffff:ffff:ffff")
    assert DIRECT.key("2001:db8:0:1::1") != DIRECT.key("2001:db8:0:2::1")


def test_who_has_no_address_is_counted_as_nobody() -> None:
    assert DIRECT.key(None) is None
    assert DIRECT.key("a-unix-socket") is None


def test_ipv4_that_a_dual_stack_socket_sees_is_ipv4() -> None:
    assert DIRECT.key("::ffff:192.0.2.1") == "192.0.2.1"


@pytest.mark.parametrize("unset", ["", "  "])
def test_behind_a_proxy_that_nobody_named_nobody_is_counted_by_address(unset: str) -> None:
    unknown = CountedAddresses.behind(unset, is_development=False)
    assert not unknown.are_known
    assert unknown.key("192.0.2.1") is None


def test_in_development_there_is_no_proxy() -> None:
    assert CountedAddresses.behind("", is_development=True).key("127.0.0.1") == "127.0.0.1"


def test_a_proxy_that_says_nothing_of_its_caller_is_not_counted_for_everybody_behind_it() -> None:
    silent = client_address("10.1.2.3", [], BEHIND_A_PROXY.trusted)
    assert BEHIND_A_PROXY.key(silent) is None


def test_a_stranger_cannot_escape_by_naming_a_trusted_address() -> None:
    address = client_address("10.1.2.3", [b"10.9.9.9, 198.51.100.9"], BEHIND_A_PROXY.trusted)
    assert BEHIND_A_PROXY.key(address) == "198.51.100.9"


def test_none_says_that_the_peers_are_the_callers() -> None:
    assert DIRECT.are_known
    assert DIRECT.trusted == ()
    assert DIRECT.key("198.51.100.9") == "198.51.100.9"
