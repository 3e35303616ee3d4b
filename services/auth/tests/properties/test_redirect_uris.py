"""A code goes only where it was registered to go: the rule against a second reading of it."""

import re
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from auth_server.domain.redirect_uris import is_match

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Uri:
    """A redirect URI in the parts that the rule is about."""

    scheme: str
    host: str
    port: str
    path: str
    query: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.port}{self.path}{self.query}"


PARTS = {
    "scheme": st.sampled_from(["http", "https", "cursor", "httpx", "HTTP"]),
    "host": st.sampled_from(
        [*LOOPBACK, "client.example", "localhost.example", "127.0.0.2", "LOCALHOST", "[::2]"]
    ),
    "port": st.sampled_from(["", ":", ":80", ":443", ":33418", ":65535", ":1"]),
    "path": st.sampled_from(["", "/", "/callback", "/callback/", "/Callback", "/%63allback", "/."]),
    "query": st.sampled_from(["", "?", "?tenant=7", "?tenant=8"]),
}
URIS = st.builds(Uri, **PARTS)
ANY_CHARACTER = st.characters(max_codepoint=0x2FF)


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Uri, Uri]:
    """Two URIs that differ in at most two parts: what tells them apart is nearly always one."""
    one = draw(URIS)
    names = draw(st.lists(st.sampled_from(sorted(PARTS)), max_size=2))
    return one, replace(one, **{name: draw(PARTS[name]) for name in names})


def may_receive(registered: Uri, requested: Uri) -> bool:
    """The same rule, read from RFC 8252 7.3: all but the port is equal, on loopback and http."""
    if ":" in (registered.port, requested.port):
        return False  # a port that is none, for some programs
    if registered == requested:
        return True
    apart_from_port = replace(registered, port="") == replace(requested, port="")
    return apart_from_port and registered.scheme == "http" and registered.host in LOOPBACK


@given(neighbours())
def test_an_address_receives_a_code_only_if_it_was_registered_but_for_a_loopback_port(
    pair: tuple[Uri, Uri],
) -> None:
    registered, requested = pair
    if is_match(str(registered), str(requested)):
        assert _lowered(registered, requested) or may_receive(registered, requested)
    else:
        assert not may_receive(registered, requested)


def _lowered(registered: Uri, requested: Uri) -> bool:
    # On loopback the letters' case of scheme and host names the same place.
    def same_place(uri: Uri) -> Uri:
        return replace(uri, scheme=uri.scheme.lower(), host=uri.host.lower())

    return may_receive(same_place(registered), same_place(requested))


@given(URIS, ANY_CHARACTER, st.integers(min_value=0, max_value=80))
def test_one_more_character_is_another_address(uri: Uri, character: str, position: int) -> None:
    registered = str(replace(uri, scheme="https"))
    requested = registered[:position] + character + registered[position:]
    assert not is_match(registered, requested)


@given(URIS, st.text(ANY_CHARACTER, max_size=12))
def test_on_loopback_only_digits_may_stand_where_the_port_is(uri: Uri, port: str) -> None:
    registered = replace(uri, scheme="http", host="127.0.0.1", port="")
    requested = f"http://127.0.0.1:{port}{registered.path}{registered.query}"
    if is_match(str(registered), requested):
        assert re.fullmatch(r"[1-9][0-9]{0,4}", port, re.ASCII)
        assert int(port) <= 65535


@given(URIS, URIS)
def test_a_match_does_not_depend_on_who_came_first(one: Uri, other: Uri) -> None:
    assert is_match(str(one), str(other)) == is_match(str(other), str(one))
