"""Resource indicators: which resource a request names (RFC 8707)."""

from collections.abc import Sequence

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
        scopes=frozenset(scopes),
        upstream_audience="https://todo.api.com",
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


@pytest.mark.standard("RFC 8707 2 comparison")
@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (MCP, True),
        (f"{MCP}/", True),
        ("HTTPS://mcp.EXAMPLE/mcp", True),
        (OTHER, False),
        ("", False),
    ],
)
def test_two_spellings_of_one_resource_are_the_same(other: str, is_same: bool) -> None:
    assert is_same_resource(MCP, other) is is_same
