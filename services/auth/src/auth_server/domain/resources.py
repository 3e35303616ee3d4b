"""Protected resources: the MCP servers this authorization server issues handles for (RFC 8707)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from auth_server.domain.errors import InvalidTarget
from auth_server.domain.handles import Digest
from auth_server.domain.scopes import Scopes, granted_scopes

# Scheme and authority (RFC 3986 3): the parts in which case means nothing. Visible ASCII only, so
# that no other letter turns into one of a host name on its way to lower case.
_ORIGIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[!-\"$-.0->@-~]*")


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """One MCP server: its identifier, its scopes, and its credential for introspection.

    `upstream_audience` is the audience that the downstream token must have at PingOne, and
    `upstream_scopes` what each scope of this resource is called there: one name, or several that
    are needed together. `name` and `scope_descriptions` are for people.
    """

    identifier: str
    upstream_audience: str
    upstream_scopes: Mapping[str, Scopes]
    introspection_client_id: str
    introspection_client_secret_digest: Digest = field(repr=False)
    name: str | None = None
    scope_descriptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def scopes(self) -> Scopes:
        """The scopes that MCP clients may ask for here."""
        return frozenset(self.upstream_scopes)

    def asked_upstream(self, consented: Scopes) -> Scopes:
        """PingOne's names of what was consented, and no others."""
        return frozenset().union(*(self.upstream_scopes[name] for name in consented & self.scopes))

    def granted(self, consented: Scopes, upstream_scope: str) -> Scopes:
        """What was consented, as far as PingOne's answer covers it."""
        return granted_scopes(consented, upstream_scope, self.upstream_scopes)


class ProtectedResources:
    """All resources of this deployment; never empty, and each one distinct."""

    def __init__(self, resources: Sequence[ProtectedResource]) -> None:
        if not resources:
            raise ValueError("an authorization server without a resource has nothing to issue")
        _refuse_same("identifier", [_comparison_key(one.identifier) for one in resources])
        _refuse_same("introspection_client_id", [one.introspection_client_id for one in resources])
        self._by_key = {_comparison_key(resource.identifier): resource for resource in resources}
        self._by_client_id = {resource.introspection_client_id: resource for resource in resources}
        self._all = tuple(resources)

    @property
    def all(self) -> tuple[ProtectedResource, ...]:
        """Every resource, in the order of the configuration."""
        return self._all

    @property
    def scopes(self) -> Scopes:
        """Every scope that some resource knows."""
        return frozenset().union(*(resource.scopes for resource in self._all))

    def select(self, requested: Sequence[str]) -> ProtectedResource:
        """The resource that `resource` parameters name; the only one when there is none.

        Raises InvalidTarget for an unknown resource, several different ones, or no default.
        """
        keys = {_comparison_key(value) for value in requested}
        if not keys and len(self._all) == 1:
            return self._all[0]
        if len(keys) == 1 and (found := self._by_key.get(keys.pop())) is not None:
            return found
        raise InvalidTarget("the resource is missing, unknown, or more than one")

    def find(self, identifier: str) -> ProtectedResource | None:
        """The resource of this name; None if it is none, or not configured any more."""
        return self._by_key.get(_comparison_key(identifier))

    def by_introspection_client(self, client_id: str) -> ProtectedResource | None:
        """The resource whose server introspects with this client_id."""
        return self._by_client_id.get(client_id)


def is_same_resource(one: str, other: str) -> bool:
    """Compare tolerantly of scheme and host case and one trailing slash, and of nothing else."""
    return _comparison_key(one) == _comparison_key(other)


def _comparison_key(identifier: str) -> str:
    # No URL parser: they drop an empty query or fragment, and white space, in silence.
    origin = _ORIGIN.match(identifier)
    end = 0 if origin is None else origin.end()
    return (identifier[:end].lower() + identifier[end:]).removesuffix("/")


def _refuse_same(member: str, values: Sequence[str]) -> None:
    for later, value in enumerate(values):
        if (first := values.index(value)) != later:
            raise ValueError(f"resources {first + 1} and {later + 1} have the same {member}")
