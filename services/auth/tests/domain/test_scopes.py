"""Scopes: parsed strictly, written in one order, and never more than PingOne granted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_server.domain.errors import InvalidScope
from auth_server.domain.scopes import format_scope, granted_scopes, parse_scope

# RFC 6749 3.3: scope-token.
CHARACTERS = "".join(chr(c) for c in (0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F)))
NAMES = st.text(CHARACTERS, min_size=1, max_size=20)
SCOPES = st.frozensets(NAMES, min_size=1, max_size=10)
SAME_NAMES = {name: frozenset({name}) for name in ("read", "write")}


@given(SCOPES)
def test_scopes_survive_the_wire(scopes: frozenset[str]) -> None:
    assert parse_scope(format_scope(scopes)) == scopes


def test_scopes_are_written_in_one_order() -> None:
    assert format_scope(["b", "a", "C"]) == "C a b"
    assert format_scope([]) == ""


def test_a_scope_that_is_named_twice_counts_once() -> None:
    assert parse_scope("a b a") == {"a", "b"}


@pytest.mark.standard("RFC 6749 3.3 grammar")
@pytest.mark.parametrize(
    "value",
    ["", " ", " a", "a ", "a  b", "a\tb", "a\nb", "a\n", 'a"b', "a\\b", "\u00e9", "a\x00", "a\x7f"],
    ids=ascii,
)
def test_a_malformed_scope_is_refused(value: str) -> None:
    with pytest.raises(InvalidScope):
        parse_scope(value)


def test_a_scope_has_at_most_2000_characters() -> None:
    assert parse_scope("a" * 2000)
    with pytest.raises(InvalidScope):
        parse_scope("a" * 2001)


@pytest.mark.standard("RFC 6749 3.3 granted")
@pytest.mark.parametrize(
    ("consented", "upstream", "granted"),
    [
        ("read write", "openid profile read write", "read write"),
        ("read", "openid read write", "read"),
        ("read write", "openid read", "read"),
        ("read write", "", "read write"),
        ("read write", "openid", ""),
        ("read offline_access", "openid read", "read offline_access"),
        ("read offline_access", "openid offline_access", ""),
    ],
)
def test_a_grant_carries_what_the_person_and_pingone_both_allowed(
    consented: str, upstream: str, granted: str
) -> None:
    assert granted_scopes(parse_scope(consented), upstream, SAME_NAMES) == frozenset(
        granted.split()
    )


@pytest.mark.parametrize(
    ("consented", "upstream", "granted"),
    [
        ("read write", "openid todo.get todo.put", "read write"),
        ("read write", "openid todo.get", "read"),
        # RFC 6749 3.3: names are separated by spaces, and by nothing else.
        ("read write", "openid todo.get\u00a0todo.put", ""),
        ("read write", "todo.get\ttodo.put", ""),
        ("read write", "todo.get\x85 todo.get", "read"),
        ("read write", "openid todo.put", ""),
        ("read", "todo.get todo.put", "read"),
        ("read write", "read write", ""),
        ("read write", "", "read write"),
        ("write gone", "todo.get todo.put gone", "write"),
        ("gone", "", ""),
        ("write offline_access", "todo.get todo.put", "write offline_access"),
        ("write offline_access", "todo.put offline_access", ""),
    ],
)
def test_a_scope_is_granted_if_pingone_granted_everything_that_it_stands_for(
    consented: str, upstream: str, granted: str
) -> None:
    names = {"read": frozenset({"todo.get"}), "write": frozenset({"todo.get", "todo.put"})}
    found = granted_scopes(parse_scope(consented), upstream, names)
    assert found == frozenset(granted.split())


@given(SCOPES, st.text(), st.dictionaries(NAMES, SCOPES))
def test_a_grant_never_carries_more_than_was_consented(
    consented: frozenset[str], upstream: str, names: dict[str, frozenset[str]]
) -> None:
    assert granted_scopes(consented, upstream, names) <= consented
