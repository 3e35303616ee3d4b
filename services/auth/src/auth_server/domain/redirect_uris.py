"""Redirect URIs: which may be registered, and when a requested one equals a registered one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from auth_server.domain.errors import InvalidRedirectUri
from service_kit.urls import DEFAULT_PORTS, ImproperUrl, Url, parse_url

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


def is_match(registered: str, requested: str) -> bool:
    """Compare as strings (RFC 9700 2.1); on loopback http the port may differ (RFC 8252 7.3)."""
    one, other = _parse(registered), _parse(requested)
    if one is None or other is None:
        return False  # whatever was registered before the rules were what they are
    if other.fragment is not None:
        return False  # RFC 6749 3.1.2: or the answer would be added to the fragment
    if registered == requested:
        return True
    if not (_is_loopback(one) and _is_loopback(other)):
        return False
    return (_host(one), one.path, one.query) == (_host(other), other.path, other.query)


def check_registrable(redirect_uri: str, private_use_schemes: frozenset[str]) -> None:
    """Raise InvalidRedirectUri unless a code may ever be sent there.

    Allowed: https, http on loopback, and the private-use schemes of configuration (RFC 8252 7).
    """
    if len(redirect_uri) > MAX_LENGTH:
        raise InvalidRedirectUri(f"a redirect URI must have at most {MAX_LENGTH} characters")
    try:
        parts = parse_url(redirect_uri)
    except ImproperUrl as error:
        raise InvalidRedirectUri(f"a redirect URI {error}") from None
    if parts.fragment is not None:
        raise InvalidRedirectUri("a redirect URI must not have a fragment")
    if _is_unspecified(parts):
        raise InvalidRedirectUri("a redirect URI must not have the unspecified address as its host")
    if parts.scheme == "https" or _is_loopback(parts):
        return
    if parts.scheme in private_use_schemes - NEVER_PRIVATE_USE:
        # RFC 8252 7.1: a path says which part of the app is meant.
        if parts.path.strip("/"):
            return
        raise InvalidRedirectUri("a redirect URI of a private-use scheme must have a path")
    raise InvalidRedirectUri(
        "a redirect URI must be https, http on a loopback host, or of a scheme this server allows"
    )


def is_on_the_persons_computer(redirect_uri: str) -> bool:
    """True for a registrable URI that only a native application can have (RFC 8252 7.1, 7.3)."""
    return Target.of(redirect_uri).kind is not TargetKind.WEBSITE


class TargetKind(StrEnum):
    """What kind of thing answers at a redirect URI."""

    WEBSITE = "website"
    THIS_COMPUTER = "this_computer"
    INSTALLED_APP = "installed_app"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a redirect URI leads. `host` is as people read it, with an unusual port; or empty."""

    kind: TargetKind
    scheme: str
    host: str
    is_address: bool

    @classmethod
    def of(cls, redirect_uri: str) -> Self:
        """Describe a registrable URI; raise ImproperUrl for one that is not (any more)."""
        parts = parse_url(redirect_uri)
        authority = parts.authority
        is_address = authority is not None and authority.address is not None
        return cls(_kind(parts), parts.scheme, parts.shown_authority, is_address)


def _kind(parts: Url) -> TargetKind:
    if parts.scheme not in DEFAULT_PORTS:
        return TargetKind.INSTALLED_APP
    if parts.authority is not None and parts.authority.is_this_computer:
        return TargetKind.THIS_COMPUTER
    return TargetKind.WEBSITE


def _is_loopback(parts: Url) -> bool:
    """True for http on one of the loopback hosts, by the names that count."""
    return parts.scheme == "http" and _host(parts) in LOOPBACK_HOSTS


def _is_unspecified(parts: Url) -> bool:
    """True for 0.0.0.0 and ::, which lead to this computer on some systems only."""
    address = None if parts.authority is None else parts.authority.address
    return address is not None and address.is_unspecified


def _host(parts: Url) -> str:
    return "" if parts.authority is None else parts.authority.host


def _parse(uri: str) -> Url | None:
    try:
        return parse_url(uri) if len(uri) <= MAX_LENGTH else None
    except ImproperUrl:
        return None
