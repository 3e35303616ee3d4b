"""Handles: opaque references of ours. `mcpat_` for access, `mcprt_` for refresh.

Initial access tokens (RFC 7591 3) have the same form, under `mcpit_`.

prefix + 256 random bits (base64url) + CRC-32 of what stands before it (base62, 6 characters). The
checksum lets anyone refuse a truncated or made-up string without a look-up; it protects nothing.
Only the SHA-256 digest is ever stored.
"""

import base64
import hashlib
import re
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NewType

from auth_server.domain.scopes import Scopes

RawHandle = NewType("RawHandle", str)
Digest = NewType("Digest", bytes)
RandomBytes = Callable[[int], bytes]

ACCESS_PREFIX: Final = "mcpat_"
REFRESH_PREFIX: Final = "mcprt_"
INITIAL_PREFIX: Final = "mcpit_"
RANDOM_BYTES: Final = 32

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM_LENGTH: Final = 6
_SHAPE: Final = re.compile(r"(?:mcpat|mcprt|mcpit)_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Handle:
    """A stored handle: what the grant lets its holder do, and until when."""

    grant_id: str
    scopes: Scopes
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshHandle(Handle):
    """A stored refresh handle; it is spent once `rotated_at` is set.

    `sealed_answer` is what its rotation answered, under a key that only the raw handle yields.
    """

    rotated_at: datetime | None
    sealed_answer: bytes | None = field(default=None, repr=False)

    def is_in_grace(self, grace: timedelta, now: datetime) -> bool:
        """True if it was spent less than `grace` ago; without a grace never.

        A clock behind that of the replica which spent it has seen no time pass.
        """
        return self.rotated_at is not None and max(now, self.rotated_at) < self.rotated_at + grace

    def is_reuse(self, grace: timedelta, now: datetime) -> bool:
        """True if presenting it now means theft: it was spent, and the grace is over."""
        return self.rotated_at is not None and not self.is_in_grace(grace, now)


@dataclass(frozen=True, slots=True)
class IssuedHandles:
    """What a token response tells the client (RFC 6749 5.1). `refresh` is absent if not granted."""

    access: RawHandle = field(repr=False)
    refresh: RawHandle | None = field(repr=False)
    expires_in_seconds: int
    scopes: Scopes


@dataclass(frozen=True, slots=True)
class NewHandles:
    """Handles that have been made. `expires_at` is the end of the access handle."""

    access: RawHandle = field(repr=False)
    refresh: RawHandle | None = field(repr=False)
    expires_at: datetime
    scopes: Scopes

    def issued(self, now: datetime) -> IssuedHandles:
        """The answer at this moment; a replayed one may come when the access handle has ended."""
        seconds = max(0, int((self.expires_at - now).total_seconds()))
        return IssuedHandles(self.access, self.refresh, seconds, self.scopes)


def new_handle(prefix: str, random_bytes: RandomBytes = secrets.token_bytes) -> RawHandle:
    """Make a handle with 256 fresh random bits."""
    body = prefix + _base64url(random_bytes(RANDOM_BYTES))
    return RawHandle(body + _checksum(body))


def is_well_formed(value: str, prefix: str) -> bool:
    """True if value has this prefix, the right shape and the right checksum."""
    if not value.startswith(prefix) or _SHAPE.fullmatch(value) is None:
        return False
    return value[-_CHECKSUM_LENGTH:] == _checksum(value[:-_CHECKSUM_LENGTH])


def digest(value: str) -> Digest:
    """SHA-256: enough for values with 256 random bits, where a slow hash protects nothing."""
    return Digest(hashlib.sha256(value.encode()).digest())


def new_secret(random_bytes: RandomBytes = secrets.token_bytes) -> str:
    """256 random bits as base64url, for codes, states, nonces and cookies."""
    return _base64url(random_bytes(RANDOM_BYTES))


def new_id(random_bytes: RandomBytes = secrets.token_bytes) -> str:
    """128 random bits as base64url, for what is named and no secret: 22 characters."""
    return _base64url(random_bytes(16))


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode("ascii"))
    characters = []
    for _ in range(_CHECKSUM_LENGTH):
        number, remainder = divmod(number, 62)
        characters.append(_BASE62[remainder])
    return "".join(reversed(characters))
