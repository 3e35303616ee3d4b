"""Client assertions, whatever they say: read or refused, and nothing else."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.util import urlsafe_b64encode

from auth_server.domain.client_assertions import LEEWAY, UnverifiedAssertion, check_claims
from auth_server.domain.errors import InvalidClient

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
AUDIENCES = frozenset({"https://auth.example", "https://auth.example/token"})
RIGHT: Mapping[str, Any] = {
    "iss": "client",
    "sub": "client",
    "aud": "https://auth.example",
    "exp": NOW.timestamp() + 60,
    "jti": "once",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def segment(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode()


def read_or_refused(assertion: str) -> None:
    try:
        unverified = UnverifiedAssertion.read(assertion)
    except InvalidClient:
        return
    assert unverified.subject.isprintable()
    with pytest.raises(InvalidClient):
        unverified.verified_claims([])


@given(st.text())
def test_any_text_is_read_or_refused(assertion: str) -> None:
    read_or_refused(assertion)


@given(
    JSON | st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "x5c"]), JSON), JSON
)
def test_any_header_and_claims_are_read_or_refused(header: object, claims: object) -> None:
    read_or_refused(f"{segment(header)}.{segment(claims)}.c2ln")
    if isinstance(header, dict):
        named = segment(header | {"alg": "ES256"})
        read_or_refused(f"{named}.{segment({'sub': 'client'})}.c2ln")


@given(st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti"]), JSON)
def test_any_claim_is_accepted_or_refused(name: str, value: object) -> None:
    try:
        accepted = check_claims({**RIGHT, name: value}, "client", AUDIENCES, NOW)
    except InvalidClient:
        return
    assert NOW < accepted.expires_at <= NOW + timedelta(minutes=5) + 2 * LEEWAY


def test_what_is_spent_depends_on_client_and_jti_alone() -> None:
    def digest_of(client_id: str, jti: str, **changes: Any) -> bytes:
        claims = {**RIGHT, "iss": client_id, "sub": client_id, "jti": jti, **changes}
        return check_claims(claims, client_id, AUDIENCES, NOW).digest

    assert digest_of("a", "b") == digest_of("a", "b", exp=NOW.timestamp() + 1, scope="more")
    different = {digest_of(*pair) for pair in (("a", "b"), ("ab", "c"), ("a", "bc"))}
    assert len(different) == 3


def test_the_expiry_includes_the_leeway() -> None:
    accepted = check_claims(RIGHT, "client", AUDIENCES, NOW)
    assert accepted.expires_at == NOW + timedelta(seconds=60) + LEEWAY
