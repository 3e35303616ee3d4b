"""Clients: who they are, and which redirect URIs a code may be sent to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from auth_server.domain.handles import Digest
from auth_server.domain.redirect_uris import is_match


class TokenEndpointAuthMethod(StrEnum):
    """How a client proves itself at the token endpoint (RFC 7591 2)."""

    NONE = "none"
    CLIENT_SECRET_BASIC = "client_secret_basic"
    CLIENT_SECRET_POST = "client_secret_post"
    PRIVATE_KEY_JWT = "private_key_jwt"

    @property
    def has_secret(self) -> bool:
        """True if the client shares a secret with this server."""
        return self in {
            TokenEndpointAuthMethod.CLIENT_SECRET_BASIC,
            TokenEndpointAuthMethod.CLIENT_SECRET_POST,
        }


class GrantType(StrEnum):
    """The grants of the token endpoint."""

    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"


class ClientOrigin(StrEnum):
    """Where a client's record comes from."""

    CONFIGURED = "configured"
    REGISTERED = "registered"
    OPERATOR = "operator"
    METADATA_DOCUMENT = "metadata_document"


@dataclass(frozen=True, slots=True)
class SeenFrom:
    """The networks that a client's first request came from: none if that tells nobody apart."""

    network: str | None = None
    wider_network: str | None = None


NOWHERE: Final = SeenFrom()
ALL_GRANT_TYPES: Final = frozenset(GrantType)


@dataclass(frozen=True, slots=True)
class ClientMetadata:
    """What a client says of itself (RFC 7591 2). `client_name` is unverified, possibly empty.

    With private_key_jwt exactly one of `jwks` and `jwks_uri` is there; with any other method
    neither, nor a signing algorithm. A `web` client has no redirect URI on the person's computer.
    """

    redirect_uris: tuple[str, ...]
    client_name: str = ""
    client_uri: str | None = None
    token_endpoint_auth_method: TokenEndpointAuthMethod = TokenEndpointAuthMethod.NONE
    grant_types: frozenset[GrantType] = ALL_GRANT_TYPES
    application_type: str = "native"
    scope: str | None = None
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None
    token_endpoint_auth_signing_alg: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A client that may take part in a flow now: neither deleted, disabled nor expired."""

    client_id: str
    metadata: ClientMetadata
    origin: ClientOrigin
    issued_at: datetime
    secret_digest: Digest | None = field(default=None, repr=False)

    def allows_redirect_uri(self, redirect_uri: str) -> bool:
        """True if a code may be sent there: exact match, any port on loopback (RFC 8252 7.3)."""
        return any(is_match(one, redirect_uri) for one in self.metadata.redirect_uris)
