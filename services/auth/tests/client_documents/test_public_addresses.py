"""Which addresses a document may come from: the public internet, and nothing else."""

import pytest

from auth_server.client_documents.public_addresses import is_public


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 (nothing is bound)
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",  # a cloud's metadata service
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",  # most clouds' metadata service
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_an_ipv4_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "::",
        "::1",
        "::127.0.0.1",  # IPv4-compatible, deprecated
        "::ffff:127.0.0.1",  # IPv4-mapped
        "::ffff:8.8.8.8",
        "::ffff:0:8.8.8.8",  # IPv4-translated
        "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",  # discard
        "2001::1",  # Teredo
        "2001:2::1",  # benchmarking
        "2001:10::1",  # ORCHID
        "2001:20::1",  # ORCHIDv2
        "2001:db8::1",
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "2002:808:808::1",
        "3fff::1",  # documentation
        "5f00::1",  # segment routing
        "fc00::1",
        "fd00:ec2::254",  # a cloud's metadata service
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1%eth0",
        "fec0::1",  # site-local, deprecated
        "ff02::1",
        "4000::1",  # not given out
    ],
)
def test_an_ipv6_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "1.2.3.4 "])
def test_what_is_no_address_is_refused(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "160.79.104.10",
        "172.15.255.255",
        "172.32.0.0",
        "223.255.255.255",
        "2001:4860:4860::8888",
        "2606:4700::6810:84e5",
        "2a00:1450:4001:80b::200e",
    ],
)
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_public(address)
