"""Scopes and resource indicators: when two of them are the same, and when not."""

from hypothesis import given
from hypothesis import strategies as st

from auth_server.domain.errors import InvalidScope
from auth_server.domain.resources import is_same_resource
from auth_server.domain.scopes import format_scope, parse_scope

NAMES = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'),
    min_size=1,
    max_size=30,
)
SCHEMES = st.sampled_from(["https", "HTTPS", "http", "Http"])
HOSTS = st.sampled_from(["mcp.example", "MCP.example", "mcp.example:443", "xn--mcp-9la.example"])
PATHS = st.sampled_from(
    ["", "/", "/mcp", "/mcp/", "/MCP", "/mcp//", "/m%63p", "/mcp?a=1", "/mcp/."]
)
RESOURCES = st.builds("{}://{}{}".format, SCHEMES, HOSTS, PATHS)


@given(st.frozensets(NAMES, min_size=1, max_size=20))
def test_a_scope_is_read_as_it_was_written(scopes: frozenset[str]) -> None:
    assert parse_scope(format_scope(scopes)) == scopes


@given(st.one_of(st.text(max_size=30), st.text('ab:" \\\t\n\x7fé', max_size=12)))
def test_any_text_is_a_scope_without_blanks_and_quotes_or_refused(value: str) -> None:
    try:
        scopes = parse_scope(value)
    except InvalidScope:
        return
    assert " ".join(value.split(" ")) == value
    for name in scopes:
        assert name.isascii()
        assert name.isprintable()
        assert not set(name) & set(' "\\')


@given(NAMES, NAMES)
def test_a_scope_is_compared_letter_by_letter(one: str, other: str) -> None:
    assert (parse_scope(one) == parse_scope(other)) is (one == other)


@given(RESOURCES, RESOURCES)
def test_two_resources_are_one_only_by_case_of_scheme_and_host_and_one_slash(
    one: str, other: str
) -> None:
    assert is_same_resource(one, other) is (_place(one) == _place(other))


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_being_the_same_resource_is_an_equivalence(one: str, two: str, three: str) -> None:
    assert is_same_resource(one, one)
    assert is_same_resource(one, two) == is_same_resource(two, one)
    if is_same_resource(one, two) and is_same_resource(two, three):
        assert is_same_resource(one, three)


@given(RESOURCES, st.characters(), st.integers(min_value=0, max_value=40))
def test_a_character_more_is_another_resource_unless_it_is_the_slash_at_the_end(
    resource: str, character: str, position: int
) -> None:
    longer = resource[:position] + character + resource[position:]
    if is_same_resource(resource, longer):
        assert longer == f"{resource}/" or resource == f"{longer}/"


def _place(resource: str) -> tuple[str, str, str]:
    scheme, _, rest = resource.partition("://")
    host, slash, path = rest.partition("/")
    return scheme.lower(), host.lower(), (slash + path).removesuffix("/")
