"""Resource indicators: which resource a request names (RFC 8707)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_server.domain.errors import InvalidTarget
from auth_server.domain.handles import digest
from auth_server.domain.resources import ProtectedResource, ProtectedResources, is_same_resource

MCP = "https://mcp.example/mcp"
OTHER = "https://mcp.example/other"


def resource(identifier: str, *scopes: str) -> ProtectedResource:
    return ProtectedResource(
        identifier=identifier,
        upstream_audience="https://todo.api.com",
        upstream_scopes={scope: frozenset({scope}) for scope in scopes},
        introspection_client_id=f"server of {identifier}",
        introspection_client_secret_digest=digest("secret"),
    )


ONE = ProtectedResources([resource(MCP, "read", "write")])
TWO = ProtectedResources([resource(MCP, "read"), resource(OTHER, "read", "write")])


@pytest.mark.parametrize(
    "requested",
    [
        [MCP],
        [f"{MCP}/"],
        ["HTTPS://MCP.EXAMPLE/mcp"],
        [MCP, f"{MCP}/"],
    ],
)
def test_the_resource_is_found_by_its_name(requested: Sequence[str]) -> None:
    assert ONE.select(requested).identifier == MCP
    assert TWO.select(requested).identifier == MCP


@pytest.mark.standard("RFC 8707 2 default")
def test_the_only_resource_is_the_default() -> None:
    assert ONE.select([]).identifier == MCP


@pytest.mark.standard("RFC 8707 2")
@pytest.mark.parametrize(
    "requested",
    [
        [OTHER],
        [MCP, "https://other.example"],
        ["https://mcp.example"],
        ["https://mcp.example/MCP"],
        ["http://mcp.example/mcp"],
        ["https://mcp.example:8443/mcp"],
        [f"{MCP}//"],
        [f"{MCP}?tenant=7"],
        [f"{MCP}#fragment"],
        [f"{MCP}#"],
        [f"{MCP}/#"],
        [f"{MCP}?"],
        ["https://mcp.example:443/mcp"],
        ["https://mcp.example:/mcp"],
        ["https://mcp.example./mcp"],
        ["https://mcp%2eexample/mcp"],
        ["https://mcp.example/%6dcp"],
        ["https://mcp.example/./mcp"],
        ["https://mcp.example\\mcp"],
        ["https:/mcp.example/mcp"],
        ["//mcp.example/mcp"],
        ["https://\uff4dcp.example/mcp"],
        ["\u017f" + MCP[1:]],
        [f"{MCP}/more"],
        ["https://user@mcp.example/mcp"],
        ["https://[mcp.example/mcp"],
        ["mcp"],
        [" "],
    ],
)
def test_what_is_not_the_resource_is_refused(requested: Sequence[str]) -> None:
    with pytest.raises(InvalidTarget):
        ONE.select(requested)


@pytest.mark.standard("RFC 8707 2 repeated")
def test_of_several_resources_exactly_one_must_be_named() -> None:
    for requested in ([], [MCP, OTHER]):
        with pytest.raises(InvalidTarget):
            TWO.select(requested)


@pytest.mark.parametrize(
    "requested", [f"{MCP}\n", f"\t{MCP}", f" {MCP}", "https://mcp.exa\nmple/mcp"]
)
def test_white_space_is_no_part_of_a_resource(requested: str) -> None:
    # urlsplit drops some of it in silence.
    with pytest.raises(InvalidTarget):
        ONE.select([requested])


def test_only_ascii_letters_have_a_case() -> None:
    # KELVIN SIGN: its lower case is the letter k.
    kit = ProtectedResources([resource("https://kit.example/mcp", "read")])
    assert kit.select(["https://KIT.example/mcp"]) is kit.all[0]
    with pytest.raises(InvalidTarget):
        kit.select(["https://\u212ait.example/mcp"])


@given(st.text())
def test_any_text_is_either_the_resource_or_refused(requested: str) -> None:
    try:
        assert ONE.select([requested]).identifier == MCP
    except InvalidTarget:
        assert requested != MCP


def test_a_resource_server_is_known_by_its_own_client_id_only() -> None:
    found = TWO.by_introspection_client(f"server of {OTHER}")
    assert found is not None
    assert found.identifier == OTHER
    assert TWO.by_introspection_client(OTHER) is None
    assert TWO.by_introspection_client("") is None


def test_the_scopes_of_all_resources_are_known_together() -> None:
    assert TWO.scopes == {"read", "write"}


def test_a_server_without_a_resource_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="nothing to issue"):
        ProtectedResources([])


def test_two_resources_that_could_be_taken_for_one_another_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="resources 1 and 3 have the same identifier"):
        ProtectedResources([resource(MCP), resource(OTHER), resource("HTTPS://mcp.EXAMPLE/mcp/")])
    twin = replace(resource(OTHER), introspection_client_id=f"server of {MCP}")
    with pytest.raises(ValueError, match="resources 1 and 2 have the same introspection_client_id"):
        ProtectedResources([resource(MCP), twin])


def test_a_resource_that_is_not_configured_is_not_found() -> None:
    assert TWO.find(f"{OTHER}/") is TWO.all[1]
    assert ONE.find(OTHER) is None


def test_pingone_is_asked_in_its_own_names_for_what_was_consented() -> None:
    mapped = replace(
        resource(MCP),
        upstream_scopes={"read": frozenset({"x.get"}), "write": frozenset({"x.get", "x.put"})},
    )
    assert mapped.scopes == {"read", "write"}
    assert mapped.asked_upstream(frozenset({"read", "offline_access"})) == {"x.get"}
    assert mapped.asked_upstream(frozenset({"read", "write"})) == {"x.get", "x.put"}
    assert mapped.granted(frozenset({"read", "write"}), "openid x.get") == {"read"}


@pytest.mark.standard("RFC 8707 2 comparison")
@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (MCP, True),
        (f"{MCP}/", True),
        ("HTTPS://mcp.EXAMPLE/mcp", True),
        (OTHER, False),
        (f"{MCP}#", False),
        ("https://mcp.example/MCP", False),
        ("", False),
    ],
)
def test_two_spellings_of_one_resource_are_the_same(other: str, is_same: bool) -> None:
    assert is_same_resource(MCP, other) is is_same
