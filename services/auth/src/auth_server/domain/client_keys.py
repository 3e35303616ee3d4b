"""The public keys of clients: JSON Web Key Sets (RFC 7517), registered or published.

Of a key only its public members are kept. Keys that were not understood are left out, as RFC 7517 5
says; a key that must not be used with anything is a reason to refuse the whole registration.
"""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key, RSAKey

# Asymmetric only: whoever could sign with a secret that we know could be us (RFC 8725 3.1).
SIGNING_ALGORITHMS: Final = ("RS256", "PS256", "ES256")
MAX_KEYS: Final = 20
# RFC 7518 3.3 sets the lower bound; the upper ones bound what a signature costs us.
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 4096
MAX_EXPONENT_BITS: Final = 32
MAX_KEY_ID_LENGTH: Final = 255

_KEY_TYPES: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
_CURVE: Final = "P-256"
# The members of a public key, and how many characters their values may have.
_PUBLIC_MEMBERS: Final = {"RSA": {"n": 700, "e": 8}, "EC": {"crv": 8, "x": 64, "y": 64}}
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MALFORMED: Final = (JoseError, UnsupportedAlgorithm, ValueError, LookupError, TypeError)

# As it was registered, or as it was imported when its set was fetched.
PublicKey = Mapping[str, Any] | Key
_SomeKey = TypeVar("_SomeKey", bound=PublicKey)


class KeyRefused(ValueError):
    """A key or set that must not be used. The text is public: fixed words of ours."""


def parse_jwks(value: object) -> dict[str, Any]:
    """Return the keys that a client may register; raise KeyRefused.

    At least one must be able to verify, none may be private, symmetric or weak. A key without a
    kid gets its thumbprint (RFC 7638).
    """
    keys = [key for member in _members(value) if (key := _public_key(member)) is not None]
    if not keys:
        raise KeyRefused("jwks holds no key that verifies a supported algorithm")
    return {"keys": keys}


def usable_keys(value: object) -> dict[str, Any]:
    """Return the keys of a published set that can be used, perhaps none; raise KeyRefused.

    What is wrong with one key is no reason not to use the others.
    """
    keys = []
    for member in _members(value):
        try:
            key = _public_key(member)
        except KeyRefused:
            continue
        if key is not None:
            keys.append(key)
    return {"keys": keys}


def import_key(key: PublicKey) -> Key:
    """A key of a set that `parse_jwks` returned; it costs as much as a signature."""
    return JWKRegistry.import_key(dict(key)) if isinstance(key, Mapping) else key


def suitable_keys(keys: Iterable[_SomeKey], algorithm: str, key_id: str | None) -> list[_SomeKey]:
    """The keys that a signature may be verified with: by kid, or without one all that fit."""
    return [key for key in keys if key_id in (None, key.get("kid")) and _is_for(key, algorithm)]


def _is_for(key: PublicKey, algorithm: str) -> bool:
    return (
        key.get("kty") == _KEY_TYPES[algorithm]
        and key.get("crv", _CURVE) == _CURVE
        and key.get("alg", algorithm) == algorithm
    )


def _members(value: object) -> list[Any]:
    members = value.get("keys") if isinstance(value, Mapping) else None
    if not isinstance(members, list) or not 1 <= len(members) <= MAX_KEYS:
        raise KeyRefused(f"jwks must be an object whose keys lists 1 to {MAX_KEYS} keys")
    return members


def _public_key(member: object) -> dict[str, Any] | None:
    """The public members of a key; None if it is for something else; raise KeyRefused."""
    if not isinstance(member, Mapping):
        raise KeyRefused("jwks must list objects")
    if member.get("kty") == "oct" or not _PRIVATE_MEMBERS.isdisjoint(member):
        raise KeyRefused("jwks must hold public keys only")
    public = _read_members(member)
    if public is None:
        return None
    try:
        with warnings.catch_warnings():
            # joserfc only warns of an RSA key that is too short.
            warnings.simplefilter("error", SecurityWarning)
            key = JWKRegistry.import_key(public)
    except SecurityWarning:
        raise KeyRefused(f"an RSA key must have at least {MIN_RSA_BITS} bits") from None
    except _MALFORMED:
        raise KeyRefused("jwks holds a malformed key") from None
    if isinstance(key, RSAKey) and not _has_usable_size(key):
        raise KeyRefused(
            f"an RSA key must have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits,"
            f" and an exponent of at most {MAX_EXPONENT_BITS}"
        )
    return {"kid": key.thumbprint(), **public}


def _read_members(member: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = member.get("kty")
    lengths = _PUBLIC_MEMBERS.get(kind) if isinstance(kind, str) else None
    if lengths is None or not _is_to_verify(member):
        return None
    public: dict[str, Any] = {"kty": kind}
    for name, longest in ({"kid": MAX_KEY_ID_LENGTH, "use": 8, "alg": 8} | lengths).items():
        value = member.get(name)
        if value is None and name not in lengths:
            continue
        if not isinstance(value, str) or len(value) > longest or not value.isprintable():
            raise KeyRefused("jwks holds a malformed key, or one that is too large")
        public[name] = value
    return public


def _is_to_verify(member: Mapping[str, Any]) -> bool:
    operations = member.get("key_ops", ["verify"])
    return (
        member.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and any(_is_for(member, algorithm) for algorithm in SIGNING_ALGORITHMS)
    )


def _has_usable_size(key: RSAKey) -> bool:
    numbers = key.public_key.public_numbers()
    return (
        MIN_RSA_BITS <= numbers.n.bit_length() <= MAX_RSA_BITS
        and numbers.e.bit_length() <= MAX_EXPONENT_BITS
    )
