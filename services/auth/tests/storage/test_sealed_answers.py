"""The answer to a rotation opens for who holds the spent handle, and for nobody else."""

from datetime import UTC, datetime

import pytest

from auth_server.domain.handles import (
    ACCESS_PREFIX,
    REFRESH_PREFIX,
    NewHandles,
    RawHandle,
    digest,
    new_handle,
)
from auth_server.storage.encryption import DecryptionFailed
from auth_server.storage.sealed_answers import open_answer, seal_answer

SPENT = new_handle(REFRESH_PREFIX, lambda count: b"s" * count)
ANSWER = NewHandles(
    access=new_handle(ACCESS_PREFIX, lambda count: b"a" * count),
    refresh=new_handle(REFRESH_PREFIX, lambda count: b"r" * count),
    expires_at=datetime(2026, 5, 4, 13, 0, 0, 123456, tzinfo=UTC),
    scopes=frozenset({"todo_api:read", 'a"b'}),
)


@pytest.mark.parametrize(
    "answer",
    [ANSWER, NewHandles(ANSWER.access, None, ANSWER.expires_at, frozenset())],
    ids=["both handles", "no refresh handle"],
)
def test_an_answer_is_opened_as_it_was_sealed(answer: NewHandles) -> None:
    assert open_answer(SPENT, seal_answer(SPENT, answer)) == answer


@pytest.mark.parametrize(
    "not_the_handle",
    [
        new_handle(REFRESH_PREFIX, lambda count: b"t" * count),
        digest(SPENT).hex(),
        digest(SPENT).decode("latin-1"),
        ANSWER.access,
        ANSWER.refresh,
        "",
    ],
    ids=["another handle", "digest", "digest as it is", "new access", "new refresh", "nothing"],
)
def test_what_is_not_the_spent_handle_opens_nothing(not_the_handle: str) -> None:
    with pytest.raises(DecryptionFailed):
        open_answer(RawHandle(not_the_handle), seal_answer(SPENT, ANSWER))


def test_every_changed_byte_and_every_lost_one_is_noticed() -> None:
    sealed = seal_answer(SPENT, ANSWER)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        for damaged in (bytes(changed), sealed[:position], sealed[position + 1 :]):
            with pytest.raises(DecryptionFailed):
                open_answer(SPENT, damaged)


def test_a_sealed_answer_shows_nothing_and_is_never_the_same() -> None:
    one, other = seal_answer(SPENT, ANSWER), seal_answer(SPENT, ANSWER)
    # Replicas that race seal under the same key: a nonce that came twice would undo it.
    assert one[1:13] != other[1:13]
    for secret in (SPENT, ANSWER.access, str(ANSWER.refresh)):
        assert secret.encode() not in one
        assert one.find(digest(secret)) == -1
    assert ANSWER.access not in repr(ANSWER)
    assert str(ANSWER.refresh) not in repr(ANSWER)
