"""The RSA key that signs all tokens: made at start, or kept in a file across restarts."""

import os
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import KeyParameters, RSAKey

from service_kit.settings import InvalidSettings

ALGORITHM = "RS256"
KEY_BITS = 2048

_PARAMETERS: KeyParameters = {"use": "sig", "alg": ALGORITHM}


def generate_signing_key() -> RSAKey:
    """Make a key; its kid is its thumbprint (RFC 7638)."""
    key = RSAKey.generate_key(KEY_BITS, _PARAMETERS.copy(), private=True)
    key.ensure_kid()
    return key


def load_or_create_signing_key(path: Path) -> RSAKey:
    """Read the PEM file, or create it (mode 0600); raise InvalidSettings when it cannot be used."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise InvalidSettings(f"SIMULATOR_KEY_FILE cannot be created: {error.strerror}") from error
    key = generate_signing_key()
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.as_pem(private=True))
    return key


def _read(path: Path) -> RSAKey:
    try:
        key = RSAKey.import_key(path.read_bytes(), _PARAMETERS.copy())
    except OSError as error:
        raise InvalidSettings(f"SIMULATOR_KEY_FILE cannot be read: {error.strerror}") from error
    except (JoseError, ValueError, TypeError):
        raise InvalidSettings("SIMULATOR_KEY_FILE holds no RSA key in PEM") from None
    if key.private_key is None or key.private_key.key_size < KEY_BITS:
        raise InvalidSettings(f"SIMULATOR_KEY_FILE must be a private key of >= {KEY_BITS} bits")
    key.ensure_kid()
    return key
