"""Seals the answer to a rotation, so that only who presents the spent handle can open it again.

The key is HKDF-SHA256 of the raw handle, which is never stored: neither a copy of the database nor
the key ring opens a sealed answer, and neither does the digest by which the row is found.

    version (1) | nonce (12) | ciphertext and tag

AES-256-GCM; the associated data name the row and the purpose. A raw handle has 256 random bits, so
HKDF needs no salt (RFC 5869 3.1). Several replicas may seal different answers under one handle
before one of them wins, hence the random nonce.
"""

import json
import secrets
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auth_server.domain.handles import NewHandles, RandomBytes, RawHandle, digest
from auth_server.storage.encryption import DecryptionFailed

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_PURPOSE: Final = b"refresh_handles.answer_encrypted"
_KEY_PURPOSE: Final = b"mcp-pingone sealed answer, version 1"


def seal_answer(
    spent: RawHandle, answer: NewHandles, random_bytes: RandomBytes = secrets.token_bytes
) -> bytes:
    """Seal the answer to the rotation of `spent`."""
    members = {
        "access": answer.access,
        "refresh": answer.refresh,
        "expires_at": answer.expires_at.isoformat(),
        "scopes": sorted(answer.scopes),
    }
    nonce = random_bytes(_NONCE_BYTES)
    plaintext = json.dumps(members).encode()
    return _VERSION + nonce + _cipher(spent).encrypt(nonce, plaintext, _associated_data(spent))


def open_answer(spent: RawHandle, sealed: bytes) -> NewHandles:
    """Return the answer as it was sealed; raise DecryptionFailed for anything else."""
    if sealed[:1] != _VERSION or len(sealed) <= 1 + _NONCE_BYTES:
        raise DecryptionFailed("the sealed answer is not of a known format")
    nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        plaintext = _cipher(spent).decrypt(nonce, ciphertext, _associated_data(spent))
    except InvalidTag:
        raise DecryptionFailed("a sealed answer was altered or belongs elsewhere") from None
    members = json.loads(plaintext)
    return NewHandles(
        access=RawHandle(members["access"]),
        refresh=None if members["refresh"] is None else RawHandle(members["refresh"]),
        expires_at=datetime.fromisoformat(members["expires_at"]),
        scopes=frozenset(members["scopes"]),
    )


def _cipher(spent: RawHandle) -> AESGCM:
    return AESGCM(
        HKDF(algorithm=SHA256(), length=32, salt=None, info=_KEY_PURPOSE).derive(spent.encode())
    )


def _associated_data(spent: RawHandle) -> bytes:
    # The digest has a fixed length, so the two parts cannot run into each other.
    return digest(spent) + _PURPOSE
