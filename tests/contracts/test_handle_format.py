"""auth makes handles, and mcp tells at a glance what cannot be one: both must mean the same."""

import string

from hypothesis import given
from hypothesis import strategies as st

from auth_server.domain.handles import (
    ACCESS_PREFIX,
    RANDOM_BYTES,
    REFRESH_PREFIX,
    is_well_formed,
    new_handle,
)
from mcp_server.handle_verifier.handle_format import is_well_formed as mcp_accepts

entropy = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


@given(entropy)
def test_every_access_handle_of_auth_is_well_formed_to_mcp(random_bytes: bytes) -> None:
    assert mcp_accepts(new_handle(ACCESS_PREFIX, lambda _: random_bytes))


@given(entropy)
def test_a_refresh_handle_is_nothing_to_mcp(random_bytes: bytes) -> None:
    assert not mcp_accepts(new_handle(REFRESH_PREFIX, lambda _: random_bytes))


@given(entropy, st.data())
def test_a_changed_handle_is_refused_by_both(random_bytes: bytes, data: st.DataObject) -> None:
    handle = new_handle(ACCESS_PREFIX, lambda _: random_bytes)
    position = data.draw(st.integers(0, len(handle) - 1))
    alphabet = string.ascii_letters + string.digits + "_-"
    other = data.draw(st.sampled_from(alphabet.replace(handle[position], "")))
    changed = handle[:position] + other + handle[position + 1 :]
    assert not mcp_accepts(changed)
    assert not is_well_formed(changed, ACCESS_PREFIX)


@given(st.text(max_size=80) | st.text(alphabet="mcpat_Aa0", min_size=55, max_size=55))
def test_both_refuse_and_accept_the_same_strings(anything: str) -> None:
    assert mcp_accepts(anything) == is_well_formed(anything, ACCESS_PREFIX)
