"""Seals what a client was told, so that only the same browser, with the same state, opens it again.

The key is HKDF-SHA256 of the raw state and of the secret in the sign-on's cookie. Neither is ever
stored, so neither a copy of the database nor the key ring opens an answer.

    version (1) | nonce (12) | ciphertext and tag

AES-256-GCM; the associated data name the row and the purpose. Both secrets have 256 random bits,
so HKDF needs no salt (RFC 5869 3.1).
"""

import json
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auth_server.domain.authorizations import ClientAnswer
from auth_server.domain.handles import RandomBytes, digest
from auth_server.storage.encryption import DecryptionFailed

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_PURPOSE: Final = b"authorizations.answer_encrypted"
_KEY_PURPOSE: Final = b"mcp-pingone sealed client answer, version 1"


def seal_client_answer(
    state: str, secret: str, answer: ClientAnswer, random_bytes: RandomBytes = secrets.token_bytes
) -> bytes:
    """Seal the answer to the sign-on with this state and cookie secret."""
    members = {"code": answer.code, "error": answer.error, "description": answer.description}
    nonce = random_bytes(_NONCE_BYTES)
    ciphertext = _cipher(state, secret).encrypt(
        nonce, json.dumps(members).encode(), digest(state) + _PURPOSE
    )
    return _VERSION + nonce + ciphertext


def open_client_answer(state: str, secret: str, sealed: bytes) -> ClientAnswer:
    """Return the answer as it was sealed; raise DecryptionFailed for anything else."""
    if sealed[:1] != _VERSION or len(sealed) <= 1 + _NONCE_BYTES:
        raise DecryptionFailed("the sealed answer is not of a known format")
    nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        plaintext = _cipher(state, secret).decrypt(nonce, ciphertext, digest(state) + _PURPOSE)
    except InvalidTag:
        raise DecryptionFailed("a sealed answer was altered or belongs elsewhere") from None
    return ClientAnswer(**json.loads(plaintext))


def _cipher(state: str, secret: str) -> AESGCM:
    # The first has a fixed length, so the two cannot run into each other.
    material = digest(state) + secret.encode()
    return AESGCM(
        HKDF(algorithm=SHA256(), length=32, salt=None, info=_KEY_PURPOSE).derive(material)
    )
