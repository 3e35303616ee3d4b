"""Envelope encryption of what must be revealed again: PingOne tokens, PKCE verifiers, nonces.

Each value is encrypted with a fresh AES-256-GCM data key, which the first key of a ring wraps with
AES-256-GCM. Rotation puts a new key in front: old keys still decrypt, nobody is logged out.

    version (1) | length of key id (1) | key id
    | wrap nonce (12) | wrapped data key (48) | nonce (12) | ciphertext and tag (16 or more)

The associated data of both layers name the row and the purpose, so a ciphertext that was copied to
another row or column does not open. Wrap nonces are random: after 2**32 values encrypted with one
key of the ring (NIST SP 800-38D 8.3), rotate it.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from auth_server.domain.handles import RandomBytes

KEY_BYTES: Final = 32
# As much of a value as tells which key encrypted it.
HEADER_BYTES: Final = 2 + 32

_VERSION: Final = 1
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_WRAPPED_KEY_BYTES: Final = KEY_BYTES + _TAG_BYTES
_AFTER_HEADER_BYTES: Final = _NONCE_BYTES + _WRAPPED_KEY_BYTES + _NONCE_BYTES + _TAG_BYTES
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)


class UnknownEncryptionKey(Exception):
    """A value was encrypted with a key that is no longer, or not yet, in the ring."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"the key ring has no key with the id {key_id!r}")
        self.key_id = key_id


class DecryptionFailed(Exception):
    """A value is malformed, was altered, or belongs to another row or purpose."""


class KeyRing:
    """Key-encryption keys by id: the first one encrypts, every one decrypts."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """Take (key id, 32 bytes) pairs; raise ValueError, without key material, if unusable."""
        if not keys:
            raise ValueError("the key ring is empty; it needs at least one key")
        ciphers: dict[str, AESGCM] = {}
        for position, (key_id, key) in enumerate(keys, start=1):
            # A text that is not an id may be a misplaced key, so errors name positions only.
            if _KEY_ID.fullmatch(key_id) is None:
                raise ValueError(f"key {position}: its id must be 1 to 32 of A-Z a-z 0-9 _ -")
            if key_id in ciphers:
                raise ValueError(f"key {position}: an earlier key has the same id")
            if len(key) != KEY_BYTES:
                raise ValueError(f"key {position}: it must have {KEY_BYTES} bytes, not {len(key)}")
            ciphers[key_id] = AESGCM(key)
        if len({key for _, key in keys}) != len(keys):
            raise ValueError("two keys of the ring are the same; every id needs a key of its own")
        self._ciphers = ciphers
        self._first = keys[0][0]

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read `id:base64,id:base64`; raise ValueError, without key material, if malformed."""
        keys = []
        for position, entry in enumerate(text.split(","), start=1):
            key_id, colon, encoded = entry.strip().partition(":")
            if not colon:
                raise ValueError(f"key {position}: it must be written id:base64")
            try:
                key = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                raise ValueError(f"key {position}: what follows the id is not base64") from None
            keys.append((key_id, key))
        return cls(keys)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the first one first."""
        return tuple(self._ciphers)

    @property
    def first(self) -> tuple[str, AESGCM]:
        """The id and the cipher that encrypt from now on."""
        return self._first, self._ciphers[self._first]

    def cipher(self, key_id: str) -> AESGCM:
        """The cipher of one key; raise UnknownEncryptionKey if the ring lacks it."""
        if key_id not in self._ciphers:
            raise UnknownEncryptionKey(key_id)
        return self._ciphers[key_id]

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._ciphers)})"


class Encryption:
    """Encrypts and decrypts column values; stateless and safe to share."""

    def __init__(self, ring: KeyRing, random_bytes: RandomBytes = secrets.token_bytes) -> None:
        self._ring = ring
        self._random_bytes = random_bytes

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the ring's keys, the one that encrypts first."""
        return self._ring.ids

    def encrypt(self, plaintext: bytes, *, row_id: str, purpose: str) -> bytes:
        """Encrypt with the ring's first key; only the same row id and purpose open it again."""
        key_id, cipher = self._ring.first
        header = bytes((_VERSION, len(key_id))) + key_id.encode("ascii")
        data_key = self._random_bytes(KEY_BYTES)
        wrap_nonce = self._random_bytes(_NONCE_BYTES)
        nonce = self._random_bytes(_NONCE_BYTES)
        wrapped_key = cipher.encrypt(
            wrap_nonce, data_key, _associated_data(b"data key", header, row_id, purpose)
        )
        ciphertext = AESGCM(data_key).encrypt(
            nonce, plaintext, _associated_data(b"value", header, row_id, purpose)
        )
        return header + wrap_nonce + wrapped_key + nonce + ciphertext

    def decrypt(self, blob: bytes, *, row_id: str, purpose: str) -> bytes:
        """Return the plaintext; raise DecryptionFailed or UnknownEncryptionKey."""
        parts = _parse(blob)
        cipher = self._ring.cipher(parts.key_id)
        try:
            data_key = cipher.decrypt(
                parts.wrap_nonce,
                parts.wrapped_key,
                _associated_data(b"data key", parts.header, row_id, purpose),
            )
            return AESGCM(data_key).decrypt(
                parts.nonce,
                parts.ciphertext,
                _associated_data(b"value", parts.header, row_id, purpose),
            )
        except InvalidTag:
            raise DecryptionFailed(
                f"a value for {purpose} was altered or belongs elsewhere"
            ) from None

    def __repr__(self) -> str:
        return f"Encryption({self._ring!r})"


def key_id_of(blob: bytes) -> str:
    """The id of the key that encrypted a value, of which HEADER_BYTES suffice.

    Raises DecryptionFailed if the value does not say.
    """
    return _parse_header(blob)[1]


@dataclass(frozen=True, slots=True)
class _Parts:
    header: bytes
    key_id: str
    wrap_nonce: bytes
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes


def _parse(blob: bytes) -> _Parts:
    header_end, key_id = _parse_header(blob)
    if len(blob) < header_end + _AFTER_HEADER_BYTES:
        raise DecryptionFailed("the encrypted value is truncated")
    key_end = header_end + _NONCE_BYTES + _WRAPPED_KEY_BYTES
    return _Parts(
        header=blob[:header_end],
        key_id=key_id,
        wrap_nonce=blob[header_end : header_end + _NONCE_BYTES],
        wrapped_key=blob[header_end + _NONCE_BYTES : key_end],
        nonce=blob[key_end : key_end + _NONCE_BYTES],
        ciphertext=blob[key_end + _NONCE_BYTES :],
    )


def _parse_header(blob: bytes) -> tuple[int, str]:
    if len(blob) < 2 or blob[0] != _VERSION:
        raise DecryptionFailed("the value is not of a known encryption format")
    header_end = 2 + blob[1]
    key_id = blob[2:header_end].decode("ascii", errors="replace")
    if len(key_id) != blob[1] or _KEY_ID.fullmatch(key_id) is None:
        raise DecryptionFailed("the encrypted value does not name its key")
    return header_end, key_id


def _associated_data(layer: bytes, header: bytes, row_id: str, purpose: str) -> bytes:
    # Each field is preceded by its length, so no two different tuples encode to the same bytes.
    fields = (layer, header, row_id.encode("utf-8"), purpose.encode("utf-8"))
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)
