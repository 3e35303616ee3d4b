"""A cookie is read as the browser sent it: exact name, once, untouched, and in no time."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from service_kit.cookies import CookiesApart, cookie_value

NAME = b"__Host-session"


def apart(*lines: bytes) -> Scope:
    """The scope that an application in CookiesApart gets."""
    received: list[Scope] = []

    async def application(scope: Scope, _receive: Receive, _send: Send) -> None:
        received.append(scope)

    async def unused(*_: object) -> Any:
        raise AssertionError

    headers = [(b"host", b"a.example"), *((b"cookie", line) for line in lines), (b"accept", b"*")]
    layer = CookiesApart(application)(
        {"type": "http", "method": "GET", "path": "/", "headers": headers}, unused, unused
    )
    with pytest.raises(StopIteration):
        layer.send(None)
    [scope] = received
    return scope


def value_in(*lines: bytes) -> bytes | None:
    """What an application in CookiesApart reads."""
    return cookie_value(apart(*lines), NAME)


def test_a_framework_finds_no_cookie_to_parse() -> None:
    scope = apart(b"a=b", b"__Host-session=S")
    assert scope["headers"] == [(b"host", b"a.example"), (b"accept", b"*")]
    assert Request(scope).cookies == {}
    assert apart()["headers"] == scope["headers"]


def test_an_application_that_nobody_keeps_cookies_apart_for_fails_loudly() -> None:
    with pytest.raises(KeyError):
        cookie_value({"type": "http", "headers": [(b"cookie", b"__Host-session=S")]}, NAME)


@pytest.mark.parametrize(
    "lines",
    [
        [b"__Host-session=S"],
        [b"a=b; __Host-session=S"],
        [b"a=b;__Host-session=S;c=d"],
        [b" \t__Host-session=S \t"],
        [b"a=b; \t __Host-session=S\t ; c=d"],
        [b"__Host-session=S;"],
        [b"a=b", b"__Host-session=S"],
        # Cookies of other names, whatever they hold.
        [b"\xa0__Host-session=T; __Host-session=S"],
        [b"__Host-session=S; x__Host-session=T; a=__Host-session=T; __Host-session"],
    ],
)
def test_the_cookie_of_this_name_is_found_beside_others(lines: list[bytes]) -> None:
    assert value_in(*lines) == b"S"


@pytest.mark.parametrize(
    "line",
    [
        *(space + b"__Host-session=S" for space in map(bytes, zip(range(0x0A, 0x20)))),
        *(b"a=b;" + space + b"__Host-session=S" for space in map(bytes, zip(range(0x0A, 0x20)))),
        b"\x00__Host-session=S",
        b"\x85__Host-session=S",
        b"\xa0__Host-session=S",
        b"\xc2\xa0__Host-session=S",
        b"\xe2\x80\x83__Host-session=S",
        b"__Host-session\xa0=S",
        b"__Host-session =S",
        b'"__Host-session"=S',
        b"__HOST-SESSION=S",
        b"__host-session=S",
        b"x__Host-session=S",
        b"x __Host-session=S",
        b"x=__Host-session=S",
        b"$Version=1, __Host-session=S",
        b"x=y, __Host-session=S",
        b"__Host-sessio\\156=S",
        b"__Host-sessio%6e=S",
        b"__Host-session",
        b"=__Host-session",
        b"",
    ],
    ids=ascii,
)
def test_a_name_that_only_resembles_it_is_another_cookie(line: bytes) -> None:
    assert value_in(line) is None


@pytest.mark.standard("RFC 6265 4.2.2")
@pytest.mark.parametrize(
    "lines",
    [
        [b"__Host-session=S; __Host-session=S"],
        [b"__Host-session=S;__Host-session=T"],
        [b"__Host-session=S; a=b; __Host-session="],
        [b"__Host-session=S", b"__Host-session=T"],
        [b"a=b; __Host-session=S", b"__Host-session=S; c=d"],
    ],
)
def test_a_cookie_that_comes_twice_is_none(lines: list[bytes]) -> None:
    assert value_in(*lines) is None


@pytest.mark.standard("RFC 6265 4.2.1")
@pytest.mark.parametrize(
    "value", [b'"S"', b"\\123", b"%53", b"", b"S\xa0", b"\x85S", b"S\x00", b"a=b", b'"a\\"b"']
)
def test_a_value_is_neither_unquoted_nor_stripped(value: bytes) -> None:
    assert value_in(b"a=b; __Host-session=" + value + b"; c=d") == value


@given(
    st.lists(
        st.lists(st.sampled_from([NAME, b"=", b";", b"; ", b" ", b"\t", b"\xa0", b"S"])).map(
            b"".join
        ),
        max_size=3,
    )
)
def test_it_reads_what_splitting_at_semicolons_and_equals_signs_reads(lines: list[bytes]) -> None:
    pairs = [pair.strip(b" \t").partition(b"=") for line in lines for pair in line.split(b";")]
    values = [value for name, equals, value in pairs if name == NAME and equals]
    assert value_in(*lines) == (values[0] if len(values) == 1 else None)


@pytest.mark.parametrize(
    "line",
    [
        b'__Host-session="' + b"\\" * 60_000 + b'"',
        b";" * 60_000,
        b"; " * 30_000,
        b"=" * 60_000,
        b" " * 60_000 + b"=",
        b"__Host-session=" * 4_000,
        b"x__Host-session=;" * 4_000,
        b"__Host-session=;" * 4_000,
    ],
    ids=lambda line: ascii(line[:20]),
)
def test_a_line_that_was_made_to_be_slow_is_read_in_time(line: bytes) -> None:
    # The framework's reader takes six seconds for the first one, in some Pythons (CVE-2024-7592).
    started = time.perf_counter()
    for _ in range(10):
        value_in(line)
    assert time.perf_counter() - started < 1
