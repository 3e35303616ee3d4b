"""A header field counts for what its bytes say, once."""

import pytest

from service_kit.header_fields import field_lines, media_type


@pytest.mark.parametrize(
    "value",
    [
        b"application/json",
        b"Application/JSON",
        b" \tapplication/json\t ",
        b"application/json; charset=utf-8",
        b"application/json ;charset=\xa0",
        b"application/json;",
    ],
)
def test_a_media_type_has_no_case_and_may_have_parameters(value: bytes) -> None:
    assert media_type([(b"accept", b"*/*"), (b"content-type", value)]) == "application/json"


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b""],
        [b"application"],
        [b"application/"],
        [b"/json"],
        [b"application/json\xa0"],
        [b"\x85application/json"],
        [b"application/json\x1f"],
        [b"application/json\n"],
        [b"application/json\x0b; charset=utf-8"],
        [b"application /json"],
        [b"application/json, text/plain"],
        [b"application/json text/plain"],
        ["application/jso\u1ff7".encode()],
        [b"application/json", b"application/json"],
        [b"text/plain", b"application/json"],
    ],
    ids=ascii,
)
def test_what_is_no_single_media_type_is_none(lines: list[bytes]) -> None:
    assert media_type([(b"content-type", line) for line in lines]) is None


def test_the_lines_of_a_field_are_found_under_any_case_of_its_name() -> None:
    headers = [(b"Origin", b"a"), (b"host", b"b"), (b"origin", b"\xa0c")]
    assert field_lines(headers, b"origin") == [b"a", b"\xa0c"]
