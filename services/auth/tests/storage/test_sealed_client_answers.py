"""How a sign-on ended opens for who has both its state and its cookie, and for nobody else."""

import pytest

from auth_server.domain.account import AccountAnswer, SignInFailure
from auth_server.domain.authorizations import ClientAnswer
from auth_server.storage.encryption import DecryptionFailed
from auth_server.storage.sealed_client_answers import (
    open_account_answer,
    open_client_answer,
    seal_account_answer,
    seal_client_answer,
)

STATE, SECRET = "s" * 43, "c" * 43
CODE = ClientAnswer(code="the-code")


@pytest.mark.parametrize(
    "answer", [CODE, ClientAnswer(error="access_denied", description="it was not allowed")]
)
def test_what_the_client_was_told_opens_as_it_was(answer: ClientAnswer) -> None:
    sealed = seal_client_answer(STATE, SECRET, answer)
    assert open_client_answer(STATE, SECRET, sealed) == answer
    assert b"the-code" not in sealed


@pytest.mark.parametrize(
    "answer", [AccountAnswer("the-session"), AccountAnswer(failure=SignInFailure.CANCELLED)]
)
def test_what_came_of_an_account_sign_in_opens_as_it_was(answer: AccountAnswer) -> None:
    sealed = seal_account_answer(STATE, SECRET, answer)
    assert open_account_answer(STATE, SECRET, sealed) == answer


@pytest.mark.parametrize(
    ("state", "secret"),
    [("x" * 43, SECRET), (STATE, "x" * 43), (SECRET, STATE), (STATE + "c", SECRET[1:])],
)
def test_another_state_or_cookie_opens_nothing(state: str, secret: str) -> None:
    sealed = seal_client_answer(STATE, SECRET, CODE)
    with pytest.raises(DecryptionFailed):
        open_client_answer(state, secret, sealed)


def test_an_answer_of_one_kind_is_none_of_the_other() -> None:
    with pytest.raises(DecryptionFailed):
        open_account_answer(STATE, SECRET, seal_client_answer(STATE, SECRET, CODE))
    with pytest.raises(DecryptionFailed):
        open_client_answer(STATE, SECRET, seal_account_answer(STATE, SECRET, AccountAnswer("s")))


def test_any_changed_or_missing_byte_is_refused() -> None:
    sealed = seal_client_answer(STATE, SECRET, CODE)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        for wrong in (bytes(changed), sealed[:position]):
            with pytest.raises(DecryptionFailed):
                open_client_answer(STATE, SECRET, wrong)
