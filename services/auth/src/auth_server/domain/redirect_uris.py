"""Redirect URIs: which may be registered, and when a requested one equals a registered one."""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from auth_server.domain.errors import InvalidRedirectUri

MAX_LENGTH: Final = 2000

# The names that RFC 8252 7.3 and real clients use for "this computer".
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "::1", "localhost"})

# What a browser, or the system behind it, runs, reads or answers by itself; and what is not
# private-use. Such a scheme is refused even if an operator allows it.
NEVER_PRIVATE_USE: Final = frozenset(
    {
        *("http", "https", "ws", "wss", "ftp", "ssh", "smb", "mailto", "tel", "sms", "urn"),
        *("javascript", "vbscript", "data", "blob", "about", "view-source", "file", "filesystem"),
        *("chrome", "resource", "jar", "feed", "content", "intent", "search-ms", "ms-settings"),
    }
)

# RFC 3986 allows no others; browsers drop some of them silently, which defeats comparison.
_ALLOWED: Final = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+", re.ASCII)
# A name or an address as it is: no pattern, no encoding, no zone of IPv6 (RFC 6874).
_HOST: Final = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+\.?|[0-9a-f.]*:[0-9a-f:.]*", re.ASCII)
_MAX_HOST_LENGTH: Final = 253


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
    if parts.scheme in {"https", "http"}:
        if not has_proper_host(parts):
            raise InvalidRedirectUri("a redirect URI must name a host, and no port that is not one")
        if parts.scheme == "https" or is_loopback(parts):
            return
    elif parts.scheme in private_use_schemes - NEVER_PRIVATE_USE:
        # RFC 8252 7.1: a path says which part of the app is meant.
        if parts.path.strip("/"):
            return
        raise InvalidRedirectUri("a redirect URI of a private-use scheme must have a path")
    raise InvalidRedirectUri(
        "a redirect URI must be https, http on a loopback host, or of a scheme this server allows"
    )


def is_on_the_persons_computer(redirect_uri: str) -> bool:
    """True for a registrable URI that only a native application can have (RFC 8252 7.1, 7.3)."""
    parts = urlsplit(redirect_uri)
    return parts.scheme != "https" or parts.hostname in LOOPBACK_HOSTS


def has_proper_host(parts: SplitResult) -> bool:
    """True if there is a host that every reader understands alike, and no port 0 or empty one."""
    host = parts.hostname or ""
    return (
        len(host) <= _MAX_HOST_LENGTH
        and _HOST.fullmatch(host) is not None
        and parts.port != 0
        and not parts.netloc.endswith(":")
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
