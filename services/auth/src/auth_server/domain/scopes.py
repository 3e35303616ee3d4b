"""Scopes: sets of case-sensitive names (RFC 6749 3.3)."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from auth_server.domain.errors import InvalidScope

Scopes = frozenset[str]

# Asks for a refresh handle. It names no permission at a resource, so it is never shown as one.
OFFLINE_ACCESS: Final = "offline_access"

_MAX_LENGTH: Final = 2000
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")


def parse_scope(value: str) -> Scopes:
    """Parse a space-separated scope; raise InvalidScope if it is not one (RFC 6749 3.3)."""
    if len(value) > _MAX_LENGTH or _SCOPE.fullmatch(value) is None:
        raise InvalidScope(
            "the scope is malformed; it is a list of names separated by single spaces"
        )
    return frozenset(value.split(" "))


def granted_scopes(
    consented: Scopes, upstream_scope: str, upstream_scopes: Mapping[str, Scopes]
) -> Scopes:
    """What a grant may carry: what was consented, as far as PingOne granted all of it too.

    `upstream_scopes` tells what each scope is called at PingOne, which drops scopes in silence that
    a person may not have. An empty answer means "as requested" (RFC 6749 5.1). No permission left
    is an empty set, even if offline_access was consented.
    """
    granted = consented & upstream_scopes.keys()
    if upstream_scope:
        upstream = frozenset(upstream_scope.split(" "))
        granted = frozenset(name for name in granted if upstream_scopes[name] <= upstream)
    return granted | (consented & {OFFLINE_ACCESS}) if granted else frozenset()


def format_scope(scopes: Iterable[str]) -> str:
    """The wire form, in a stable order."""
    return " ".join(sorted(scopes))
