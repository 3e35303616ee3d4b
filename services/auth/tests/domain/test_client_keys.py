"""The public keys of clients: what may be registered, and what a published set is read for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, RSAKey

from auth_server.domain.client_keys import (
    KeyRefused,
    import_key,
    parse_jwks,
    suitable_keys,
    usable_keys,
)

RSA = RSAKey.generate_key(2048, auto_kid=True).as_dict(private=False)
EC = ECKey.generate_key("P-256", auto_kid=True).as_dict(private=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
MEMBERS = ["kty", "kid", "use", "alg", "key_ops", "n", "e", "crv", "x", "y"]


def weak_rsa() -> dict[str, Any]:
    with pytest.warns(SecurityWarning):
        key = RSAKey.generate_key(1024)
    return dict(key.as_dict(private=False))


@pytest.mark.standard("RFC 7591 2 jwks")
def test_only_the_public_members_of_a_key_are_kept() -> None:
    extra = {"kid": "1", "use": "sig", "alg": "RS256", "x5c": ["AA"], "x5u": "https://a.example"}
    kept = parse_jwks({"keys": [RSA | extra], "unknown": True})
    assert kept == {"keys": [RSA | {"kid": "1", "use": "sig", "alg": "RS256"}]}
    assert import_key(kept["keys"][0]).kid == "1"


@pytest.mark.standard("RFC 7591 2 jwks")
def test_a_key_without_a_kid_is_known_by_its_thumbprint() -> None:
    for key in (RSA, EC):
        nameless = {name: value for name, value in key.items() if name != "kid"}
        for read in (parse_jwks, usable_keys):
            assert read({"keys": [nameless]}) == {"keys": [key]}


@pytest.mark.parametrize(
    "other",
    [
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "unknown"},
        {"kty": ["RSA"]},
        {},
        RSA | {"use": "enc"},
        RSA | {"alg": "RSA-OAEP"},
        RSA | {"alg": "RS512"},
        RSA | {"key_ops": ["encrypt"]},
        EC | {"alg": "RS256"},
        {**EC, "crv": "P-384"},
    ],
)
def test_a_key_for_something_else_is_left_out(other: dict[str, Any]) -> None:
    assert parse_jwks({"keys": [other, EC]}) == {"keys": [EC]}
    with pytest.raises(KeyRefused):
        parse_jwks({"keys": [other]})


@pytest.mark.parametrize(
    "bad",
    [
        RSA | {"d": "AQAB"},
        EC | {"d": "AA"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA", "k": "c2VjcmV0"},
        {"kty": "RSA"},
        RSA | {"n": "AQAB" * 300},
        RSA | {"n": "!" * 342},
        RSA | {"e": "A" * 9},
        RSA | {"e": "Ag"},
        EC | {"x": "AA"},
        EC | {"y": EC["x"]},
        EC | {"kid": 7},
        EC | {"kid": "k" * 256},
        EC | {"kid": "a\x00"},
        "key",
        None,
        7,
    ],
)
def test_a_key_that_must_not_be_used_spoils_a_registration_but_not_a_published_set(
    bad: object,
) -> None:
    with pytest.raises(KeyRefused):
        parse_jwks({"keys": [EC, bad]})
    assert usable_keys({"keys": [bad, EC]}) == {"keys": [EC]}


def test_an_rsa_key_has_2048_to_4096_bits() -> None:
    larger = RSAKey.generate_key(4104).as_dict(private=False)
    for key in (weak_rsa(), larger):
        with pytest.raises(KeyRefused, match="RSA key"):
            parse_jwks({"keys": [EC, key]})


def test_the_exponent_of_an_rsa_key_has_at_most_32_bits() -> None:
    # 2^32 - 1 and 2^32 + 1: a larger one has every signature cost more.
    assert parse_jwks({"keys": [RSA | {"e": "_____w"}]})
    with pytest.raises(KeyRefused, match="exponent"):
        parse_jwks({"keys": [EC, RSA | {"e": "AQAAAAE"}]})


@pytest.mark.parametrize(
    "value", [None, [], "jwks", {}, {"keys": []}, {"keys": {}}, {"keys": [EC] * 21}]
)
def test_a_set_lists_1_to_20_keys(value: object) -> None:
    for read in (parse_jwks, usable_keys):
        with pytest.raises(KeyRefused):
            read(value)
    assert len(parse_jwks({"keys": [EC] * 20})["keys"]) == 20


def test_kid_selects_and_without_it_every_key_of_the_kind_does() -> None:
    keys = [RSA | {"kid": "a"}, RSA | {"kid": "b", "alg": "PS256"}, EC | {"kid": "a"}]

    def found(algorithm: str, key_id: str | None) -> list[Any]:
        suitable = [key["kid"] for key in suitable_keys(keys, algorithm, key_id)]
        imported = suitable_keys([import_key(key) for key in keys], algorithm, key_id)
        assert [key.kid for key in imported] == suitable
        return suitable

    assert found("RS256", "a") == ["a"]
    assert found("RS256", "b") == []
    assert found("PS256", None) == ["a", "b"]
    assert found("ES256", None) == ["a"]
    assert found("ES256", "c") == []


@given(st.lists(st.dictionaries(st.sampled_from(MEMBERS), JSON), max_size=3), JSON)
def test_any_value_is_either_keys_or_refused(members: list[Any], value: object) -> None:
    for candidate in (value, {"keys": members}, {"keys": [EC | one for one in members]}):
        try:
            kept = parse_jwks(candidate)
        except KeyRefused:
            continue
        assert all(import_key(key).kid is not None for key in kept["keys"])
