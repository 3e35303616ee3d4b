"""The shape of an access handle: what can be refused without asking auth.

`mcpat_` + 43 characters base64url (256 random bits) + 6 characters base62 of the CRC-32 of what
stands before them. The checksum catches a truncated or invented string; it protects nothing.
"""

import re
import zlib

_SHAPE = re.compile(r"mcpat_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}", re.ASCII)
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM_LENGTH = 6


def is_well_formed(raw_handle: str) -> bool:
    """True if this could be an access handle: prefix, length, alphabet and checksum are right."""
    if _SHAPE.fullmatch(raw_handle) is None:
        return False
    return raw_handle[-_CHECKSUM_LENGTH:] == _checksum(raw_handle[:-_CHECKSUM_LENGTH])


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode("ascii"))
    characters = []
    for _ in range(_CHECKSUM_LENGTH):
        number, remainder = divmod(number, len(_BASE62))
        characters.append(_BASE62[remainder])
    return "".join(reversed(characters))
