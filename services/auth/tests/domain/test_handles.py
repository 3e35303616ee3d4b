"""Handles and secrets: 256 random bits, recognisable, and checkable without a look-up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_server.domain.handles import (
    ACCESS_PREFIX,
    REFRESH_PREFIX,
    digest,
    is_well_formed,
    new_handle,
    new_secret,
)

PREFIXES = [ACCESS_PREFIX, REFRESH_PREFIX]
RANDOM = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize("prefix", PREFIXES)
@given(RANDOM)
def test_a_handle_is_well_formed_under_its_own_prefix_only(prefix: str, random: bytes) -> None:
    handle = new_handle(prefix, lambda _count: random)
    assert handle.startswith(prefix)
    assert len(handle) == len(prefix) + 43 + 6
    assert [is_well_formed(handle, other) for other in PREFIXES] == [
        other == prefix for other in PREFIXES
    ]


@given(RANDOM, st.integers(min_value=0, max_value=54), st.sampled_from("0aZ_-"))
def test_a_handle_with_one_wrong_character_is_not_well_formed(
    random: bytes, position: int, character: str
) -> None:
    handle = new_handle(ACCESS_PREFIX, lambda _count: random)
    damaged = handle[:position] + character + handle[position + 1 :]
    assert is_well_formed(damaged, ACCESS_PREFIX) is (damaged == handle)


@given(st.text())
def test_any_other_text_is_not_well_formed(value: str) -> None:
    assert not is_well_formed(value, ACCESS_PREFIX)
    assert not is_well_formed(ACCESS_PREFIX + value, ACCESS_PREFIX)


@pytest.mark.parametrize("change", ["\n", " ", "\x00", "a", "\u0661"], ids=ascii)
def test_nothing_may_surround_a_handle(change: str) -> None:
    handle = new_handle(ACCESS_PREFIX)
    assert is_well_formed(handle, ACCESS_PREFIX)
    assert not is_well_formed(handle + change, ACCESS_PREFIX)
    assert not is_well_formed(change + handle, ACCESS_PREFIX)
    assert not is_well_formed(handle[:-1] + change, ACCESS_PREFIX) or handle[-1] == change


def test_every_handle_and_secret_is_another() -> None:
    assert len({new_handle(ACCESS_PREFIX) for _ in range(100)}) == 100
    assert len({new_secret() for _ in range(100)}) == 100


@pytest.mark.standard("RFC 6749 10.10")
def test_all_256_bits_are_asked_for() -> None:
    asked: list[int] = []

    def random_bytes(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    new_handle(ACCESS_PREFIX, random_bytes)
    assert new_secret(random_bytes) == "A" * 43
    assert asked == [32, 32]


@pytest.mark.standard("RFC 6749 10.3")
def test_the_digest_is_sha_256() -> None:
    assert digest("abc").hex() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
