"""Redirect URIs: which may be registered, and when a requested one equals a registered one."""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from auth_server.domain.errors import InvalidRedirectUri

MAX_LENGTH: Final = 2000

# The names that RFC 8252 7.3 and real clients use for "this computer".
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "::1", "localhost"})

# RFC 3986 allows no others; browsers drop some of them silently, which defeats comparison.
_ALLOWED: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.ASCII)


def is_match(registered: str, requested: str) -> bool:
    """Compare as strings (RFC 9700 2.1); on loopback http the port may differ (RFC 8252 7.3)."""
    if registered == requested:
        return True
    if "#" in requested:
        return False  # RFC 6749 3.1.2: or the answer would be added to the fragment
    one, other = _split(registered), _split(requested)
    if one is None or other is None or not (is_loopback(one) and is_loopback(other)):
        return False
    return (one.hostname, one.path, one.query) == (other.hostname, other.path, other.query)


def check_registrable(redirect_uri: str, private_use_schemes: frozenset[str]) -> None:
    """Raise InvalidRedirectUri unless a code may ever be sent there.

    Allowed: https, http on loopback, and the private-use schemes of configuration (RFC 8252 7).
    """
    parts = _split(redirect_uri)
    if parts is None or not parts.scheme:
        raise InvalidRedirectUri("a redirect URI is malformed or longer than 2000 characters")
    if "#" in redirect_uri:
        raise InvalidRedirectUri("a redirect URI must not have a fragment")
    if "@" in parts.netloc:
        raise InvalidRedirectUri("a redirect URI must not have user information")
    if parts.scheme == "https" and parts.hostname:
        return
    if is_loopback(parts) or parts.scheme in private_use_schemes:
        return
    raise InvalidRedirectUri(
        "a redirect URI must be https, http on a loopback host, or of a scheme this server allows"
    )


def is_loopback(parts: SplitResult) -> bool:
    """True for http on this computer."""
    return parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS and "@" not in parts.netloc


def _split(uri: str) -> SplitResult | None:
    if len(uri) > MAX_LENGTH or _ALLOWED.fullmatch(uri) is None:
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port  # reading it is what validates it
    except ValueError:
        return None
    return parts
