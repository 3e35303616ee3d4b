"""Protected resources: the MCP servers this authorization server issues handles for (RFC 8707)."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from auth_server.domain.errors import InvalidTarget
from auth_server.domain.handles import Digest
from auth_server.domain.scopes import Scopes


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """One MCP server: its identifier, its scopes, and its credential for introspection.

    `upstream_audience` is the audience that the downstream token must have at PingOne.
    """

    identifier: str
    scopes: Scopes
    upstream_audience: str
    introspection_client_id: str
    introspection_client_secret_digest: Digest


class ProtectedResources:
    """All resources of this deployment; never empty."""

    def __init__(self, resources: Sequence[ProtectedResource]) -> None:
        if not resources:
            raise ValueError("an authorization server without a resource has nothing to issue")
        self._by_key = {_comparison_key(resource.identifier): resource for resource in resources}
        self._by_client_id = {resource.introspection_client_id: resource for resource in resources}
        self._all = tuple(resources)

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

    def by_introspection_client(self, client_id: str) -> ProtectedResource | None:
        """The resource whose server introspects with this client_id."""
        return self._by_client_id.get(client_id)


def is_same_resource(one: str, other: str) -> bool:
    """Compare tolerantly of scheme and host case and one trailing slash, and of nothing else."""
    return _comparison_key(one) == _comparison_key(other)


def _comparison_key(identifier: str) -> str:
    if any(character <= " " for character in identifier):
        return identifier  # urlsplit would drop some of it in silence
    try:
        parts = urlsplit(identifier)
    except ValueError:
        return identifier
    lowered = parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower())
    return lowered.geturl().removesuffix("/")
