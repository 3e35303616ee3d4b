"""PKCE with S256 only (RFC 7636; OAuth 2.1 4.1.1, 7.5.1)."""

import re
from typing import Final

S256: Final = "S256"

# A S256 challenge is a SHA-256 digest in base64url without padding: 43 characters.
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


def is_code_challenge(value: str) -> bool:
    """True if value can be a S256 challenge (RFC 7636 4.2)."""
    return _CHALLENGE.fullmatch(value) is not None


def is_code_verifier(value: str) -> bool:
    """True if value is of the verifier's grammar (RFC 7636 4.1)."""
    return _VERIFIER.fullmatch(value) is not None
