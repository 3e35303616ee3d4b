"""Seals how a sign-on ended, so that only the same browser, with the same state, opens it again.

The key is HKDF-SHA256 of the raw state and of the secret in the sign-on's cookie. Neither is ever
stored, so neither a copy of the database nor the key ring opens an answer.

    version (1) | nonce (12) | ciphertext and tag

AES-256-GCM; the associated data name the row and the purpose. Both secrets have 256 random bits,
so HKDF needs no salt (RFC 5869 3.1).
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auth_server.domain.account import AccountAnswer, SignInFailure
from auth_server.domain.authorizations import ClientAnswer
from auth_server.domain.handles import digest
from auth_server.storage.encryption import DecryptionFailed

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_OF_CLIENT: Final = b"authorizations.answer_encrypted"
_OF_ACCOUNT: Final = b"spent_account_logins.answer_encrypted"
_KEY_PURPOSE: Final = b"mcp-pingone sealed client answer, version 1"


def seal_client_answer(state: str, secret: str, answer: ClientAnswer) -> bytes:
    """Seal what the client was told, for this state and cookie secret."""
    members = {"code": answer.code, "error": answer.error, "description": answer.description}
    return _seal(state, secret, members, _OF_CLIENT)


def open_client_answer(state: str, secret: str, sealed: bytes) -> ClientAnswer:
    """Return the answer as it was sealed; raise DecryptionFailed for anything else."""
    return ClientAnswer(**_open(state, secret, sealed, _OF_CLIENT))


def seal_account_answer(state: str, secret: str, answer: AccountAnswer) -> bytes:
    """Seal what came of a sign-in to the account page."""
    members = {"session_secret": answer.session_secret, "failure": answer.failure}
    return _seal(state, secret, members, _OF_ACCOUNT)


def open_account_answer(state: str, secret: str, sealed: bytes) -> AccountAnswer:
    """Return the answer as it was sealed; raise DecryptionFailed for anything else."""
    members = _open(state, secret, sealed, _OF_ACCOUNT)
    failure = members["failure"]
    return AccountAnswer(
        members["session_secret"], None if failure is None else SignInFailure(failure)
    )


def _seal(state: str, secret: str, members: Mapping[str, str | None], purpose: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    ciphertext = _cipher(state, secret).encrypt(
        nonce, json.dumps(members).encode(), digest(state) + purpose
    )
    return _VERSION + nonce + ciphertext


def _open(state: str, secret: str, sealed: bytes, purpose: bytes) -> dict[str, Any]:
    if sealed[:1] != _VERSION or len(sealed) <= 1 + _NONCE_BYTES:
        raise DecryptionFailed("the sealed answer is not of a known format")
    nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        plaintext = _cipher(state, secret).decrypt(nonce, ciphertext, digest(state) + purpose)
    except InvalidTag:
        raise DecryptionFailed("a sealed answer was altered or belongs elsewhere") from None
    members: dict[str, Any] = json.loads(plaintext)
    return members


def _cipher(state: str, secret: str) -> AESGCM:
    # The first has a fixed length, so the two cannot run into each other.
    material = digest(state) + secret.encode()
    return AESGCM(
        HKDF(algorithm=SHA256(), length=32, salt=None, info=_KEY_PURPOSE).derive(material)
    )
