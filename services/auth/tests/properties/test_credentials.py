"""The Authorization header: two halves, each form-encoded, and nothing else (RFC 6749 2.3.1)."""

import base64
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_server.domain.errors import InvalidClient
from auth_server.endpoints.client_authentication import basic_credentials

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
NAME = TEXT.filter(bool)


def basic(text: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(text.encode()).decode()}"


@pytest.mark.standard("RFC 6749 2.3.1 basic")
@given(NAME, TEXT, st.sampled_from(["Basic", "basic", "BASIC"]))
def test_whatever_the_two_halves_hold_they_arrive_as_they_were(
    client_id: str, client_secret: str, scheme: str
) -> None:
    for encode in (quote_plus, quote):
        halves = f"{encode(client_id, safe='')}:{encode(client_secret, safe='')}"
        presented = basic_credentials(basic(halves, scheme))
        assert (presented.client_id, presented.client_secret) == (client_id, client_secret)


@given(st.one_of(st.text(max_size=40), st.binary(max_size=40).map(lambda raw: _basic(raw))))
def test_any_header_is_two_halves_or_a_refusal(header: str) -> None:
    try:
        presented = basic_credentials(header)
    except InvalidClient:
        return
    assert presented.client_id
    assert "\0" not in presented.client_id


@given(NAME, TEXT)
def test_a_secret_is_nowhere_in_what_a_log_could_show(client_id: str, client_secret: str) -> None:
    secret = f"s3cret-{client_secret}"
    presented = basic_credentials(basic(f"{quote_plus(client_id)}:{quote_plus(secret)}"))
    assert repr(secret) not in repr(presented)


def _basic(raw: bytes) -> str:
    return f"Basic {base64.b64encode(raw).decode()}"
