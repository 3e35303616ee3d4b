"""Scopes belong to resources, and a token has one audience: PingOne's rules for both."""

from collections.abc import Mapping
from dataclasses import dataclass

from pingone_simulator.errors import InvalidScope, InvalidTarget

PINGONE_API = "https://api.pingone.com"
OIDC_SCOPES = ("openid", "profile", "email", "address", "phone")
OFFLINE_ACCESS = "offline_access"

# What todo-api asks for.
API_SCOPES = ("todo_api:read", "todo_api:write")

# A second custom resource, so that a client can make the mistake of mixing two.
SECOND_API_IDENTIFIER = "https://notes.api.com"
SECOND_API_SCOPES = ("notes_api:read",)


@dataclass(frozen=True, slots=True)
class Access:
    """What a token is good for: one audience, and the scopes granted there."""

    audience: str
    scopes: tuple[str, ...]

    @property
    def scope(self) -> str:
        """The scopes as the wire carries them (RFC 6749 section 3.3)."""
        return " ".join(self.scopes)


@dataclass(frozen=True, slots=True)
class Resources:
    """The custom resources whose scopes the client may request, by audience."""

    custom: Mapping[str, tuple[str, ...]]

    def resolve(self, scope: str | None, resource: str | None) -> Access:
        """Decide audience and scopes; raise InvalidScope or InvalidTarget.

        Scopes nobody granted to the client are dropped without a word, as PingOne does; it is an
        error only when none is left. OIDC scopes mix with one custom resource, never with two.
        """
        known = {name: audience for audience, names in self.custom.items() for name in names}
        standard = {*OIDC_SCOPES, OFFLINE_ACCESS}
        requested = dict.fromkeys((scope or "").split(" "))
        granted = tuple(name for name in requested if name in known or name in standard)
        if not granted:
            raise InvalidScope("At least one scope must be granted")
        audiences = {known[name] for name in granted if name in known}
        if resource is not None:
            if resource not in self.custom and resource != PINGONE_API:
                raise InvalidTarget("resource is not known in this environment")
            audiences.add(resource)
        if len(audiences) > 1:
            raise InvalidScope("May not request scopes for multiple resources")
        return Access(audience=audiences.pop() if audiences else PINGONE_API, scopes=granted)


def narrowed(access: Access, scope: str | None) -> Access:
    """Return access for a refresh that asks for scope; raise InvalidScope beyond the grant."""
    if scope is None:
        return access
    requested = set(scope.split(" "))
    if not requested <= set(access.scopes):  # RFC 6749 section 6
        raise InvalidScope("scope exceeds what was granted")
    return Access(access.audience, tuple(name for name in access.scopes if name in requested))
