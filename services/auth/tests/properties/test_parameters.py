"""Whatever arrives as a query or a form is read in one way, or refused."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from starlette.types import Message

from auth_server.domain.errors import InvalidRequest
from auth_server.endpoints.parameters import (
    FORM_MEDIA_TYPE,
    MAX_FIELDS,
    form_parameters,
    query_parameters,
)

# What UTF-8 can carry, without the one character that no parameter may hold.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
PAIRS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=MAX_FIELDS)
# Mostly what means something in this encoding, so that the first byte does not decide it all.
ENCODED = st.one_of(
    st.binary(max_size=80),
    st.lists(st.sampled_from([*b"ab=&+%;0fF\xc3\xa9"]), max_size=30).map(bytes),
)


def request_for(query: bytes, body: bytes = b"") -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", FORM_MEDIA_TYPE.encode())]
    scope = {"type": "http", "method": "POST", "headers": headers, "query_string": query}
    return Request(scope, receive)


def grouped(pairs: list[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    return {name: tuple(value for key, value in pairs if key == name) for name, _ in pairs}


@given(PAIRS)
def test_what_is_encoded_by_the_standard_arrives_as_it_was_in_its_order(
    pairs: list[tuple[str, str]],
) -> None:
    assert query_parameters(request_for(urlencode(pairs).encode())) == grouped(pairs)
    in_full = urlencode(pairs, quote_via=quote, safe="")
    assert query_parameters(request_for(in_full.encode())) == grouped(pairs)


@given(ENCODED)
def test_any_bytes_are_read_as_every_other_parser_reads_them_or_refused(encoded: bytes) -> None:
    try:
        parameters = query_parameters(request_for(encoded))
    except InvalidRequest:
        return
    assert parameters == grouped(QueryParams(encoded.decode("ascii")).multi_items())
    assert sum(map(len, parameters.values())) <= MAX_FIELDS


@given(ENCODED)
async def test_a_form_is_read_like_a_query_but_nothing_in_it_is_repeated(encoded: bytes) -> None:
    try:
        parameters = await form_parameters(request_for(b"", encoded))
    except InvalidRequest:
        return
    assert parameters == query_parameters(request_for(encoded))
    assert {len(values) for name, values in parameters.items() if name != "resource"} <= {1}


@given(TEXT, TEXT)
def test_a_nul_is_refused_wherever_it_hides(before: str, after: str) -> None:
    for pair in ((before + "\0" + after, "value"), ("name", before + "\0" + after)):
        encoded = urlencode([("client_id", "c"), pair]).encode()
        try:
            query_parameters(request_for(encoded))
        except InvalidRequest:
            continue
        raise AssertionError(f"{encoded!r} was accepted")


@given(st.binary(min_size=1, max_size=4).filter(lambda raw: not _is_utf8(raw)))
def test_what_is_not_utf8_is_refused_rather_than_repaired(raw: bytes) -> None:
    encoded = b"state=" + "".join(f"%{byte:02X}" for byte in raw).encode()
    try:
        query_parameters(request_for(encoded))
    except InvalidRequest:
        return
    raise AssertionError(f"{encoded!r} was accepted")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
