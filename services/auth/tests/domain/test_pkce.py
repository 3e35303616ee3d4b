"""PKCE: the grammar of challenge and verifier (RFC 7636 4.1, 4.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_server.domain.pkce import is_code_challenge, is_code_verifier

BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
A42 = "a" * 42


@pytest.mark.standard("RFC 7636 4.2")
@given(st.text(BASE64URL, min_size=43, max_size=43))
def test_43_characters_of_base64url_are_a_challenge(value: str) -> None:
    assert is_code_challenge(value)


@pytest.mark.standard("RFC 7636 4.1")
@given(st.text(BASE64URL + ".~", min_size=43, max_size=128))
def test_43_to_128_unreserved_characters_are_a_verifier(value: str) -> None:
    assert is_code_verifier(value)


@pytest.mark.standard("RFC 7636 4.2")
@pytest.mark.parametrize(
    "value",
    ["", A42, "a" * 44, *(A42 + end for end in ("=", ".", "+", "a\n", "\u00e9", "\u0661"))],
    ids=ascii,
)
def test_anything_else_is_no_challenge(value: str) -> None:
    assert not is_code_challenge(value)


@pytest.mark.standard("RFC 7636 4.1")
@pytest.mark.parametrize(
    "value",
    ["", A42, "a" * 129, *(A42 + end for end in ("=", "+", " ", "a\n", "\u00e9", "\x00"))],
    ids=ascii,
)
def test_anything_else_is_no_verifier(value: str) -> None:
    assert not is_code_verifier(value)
