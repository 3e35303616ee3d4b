"""What a form carries for us through the browser: sealed, for one browser, and for a while.

    version (1) | time (8) | nonce (12) | ciphertext and tag

AES-256-GCM. The key is HKDF-SHA256 of a cookie key of ours and of the secret in the form's own
cookie, so neither our page in another browser nor a stolen page opens it. The associated data are
the version, the purpose, the issuer, the form's id and the time.
"""

import base64
import binascii
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION: Final = b"\x01"
_TIME_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_KEY_PURPOSE: Final = b"mcp-pingone sealed form, version 1"


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What came back, and when it was sealed."""

    content: bytes = field(repr=False)
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class SealedForm:
    """Seals what a form of one purpose carries, and opens it when the form comes back.

    `cookie_keys` is ordered as configured: the first seals, all open.
    """

    purpose: str
    issuer: str
    cookie_keys: Sequence[str]
    now: Callable[[], datetime]

    def seal(self, content: bytes, *, form_id: str, secret: str) -> str:
        """Return a hidden field's value, in base64url."""
        seconds = int(self.now().timestamp()).to_bytes(_TIME_BYTES, "big")
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = _cipher(self.cookie_keys[0], secret)
        sealed = cipher.encrypt(nonce, content, self._associated_data(form_id, seconds))
        return base64.urlsafe_b64encode(_VERSION + seconds + nonce + sealed).decode("ascii")

    def unseal(self, sealed: str, *, form_id: str, secret: str) -> Unsealed | None:
        """Return the content; None if it was not sealed by us, here, for this form and secret."""
        try:
            decoded = base64.b64decode(sealed.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            return None
        version, rest = decoded[:1], decoded[1:]
        seconds, rest = rest[:_TIME_BYTES], rest[_TIME_BYTES:]
        nonce, ciphertext = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        if version != _VERSION or not ciphertext:
            return None
        associated_data = self._associated_data(form_id, seconds)
        for cookie_key in self.cookie_keys:
            try:
                content = _cipher(cookie_key, secret).decrypt(nonce, ciphertext, associated_data)
            except InvalidTag:
                continue
            # Authentic, so it is a time that we wrote.
            return Unsealed(content, datetime.fromtimestamp(int.from_bytes(seconds, "big"), UTC))
        return None

    def _associated_data(self, form_id: str, seconds: bytes) -> bytes:
        parts = [_VERSION, self.purpose.encode(), self.issuer.encode(), form_id.encode(), seconds]
        # Each is preceded by its length, so that no two lists are one text.
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _cipher(cookie_key: str, secret: str) -> AESGCM:
    # The secret in the cookie has 256 random bits: it is the salt (RFC 5869 3.1) of an operator's
    # key, which may be a passphrase.
    derivation = HKDF(algorithm=SHA256(), length=32, salt=secret.encode(), info=_KEY_PURPOSE)
    return AESGCM(derivation.derive(cookie_key.encode()))
