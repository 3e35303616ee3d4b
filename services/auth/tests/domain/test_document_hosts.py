"""The operator's rules about the hosts that documents of clients are fetched from."""

import re

import pytest

from auth_server.domain.document_hosts import DocumentHosts


@pytest.mark.parametrize(
    ("allowed", "denied", "host", "is_allowed"),
    [
        ("", "", "client.example", True),
        ("client.example", "", "client.example", True),
        ("client.example", "", "CLIENT.example", True),
        ("client.example", "", "www.client.example", False),
        ("client.example", "", "evilclient.example", False),
        ("*.client.example", "", "www.client.example", True),
        ("*.client.example", "", "a.b.client.example", True),
        ("*.client.example", "", "client.example", False),
        ("*.client.example", "", "evilclient.example", False),
        ("claude.ai *.client.example", "", "claude.ai", True),
        ("claude.ai", "", "client.example", False),
        ("", "client.example", "client.example", False),
        ("", "*.client.example", "www.client.example", False),
        ("", "*.client.example", "client.example", True),
        ("*.client.example", "evil.client.example", "evil.client.example", False),
        ("*.client.example", "evil.client.example", "good.client.example", True),
    ],
)
def test_the_operators_rules_decide_about_hosts(
    allowed: str, denied: str, host: str, is_allowed: bool
) -> None:
    hosts = DocumentHosts.parse(allowed, denied)
    assert hosts.allows(host) is is_allowed


@pytest.mark.parametrize(
    "patterns", ["*", "*.", "localhost", "https://claude.ai", "claude.ai/x", "a,b.c", "*.*.example"]
)
def test_a_rule_that_is_no_host_is_refused(patterns: str) -> None:
    with pytest.raises(
        ValueError,
        match=re.escape(f"must list hosts, as in: claude.ai *.example.com; not '{patterns}'"),
    ):
        DocumentHosts.parse(f"good.example {patterns}", "")
