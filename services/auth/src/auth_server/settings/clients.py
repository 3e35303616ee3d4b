"""Which clients there are, and which may come."""

import json
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from auth_server.domain.client_documents import is_document_url, parse_client_document
from auth_server.domain.clients import TokenEndpointAuthMethod
from auth_server.domain.document_hosts import DocumentHosts, parse_host_patterns
from auth_server.domain.errors import InvalidClientMetadata, OAuthError
from auth_server.domain.registration import parse_client_metadata
from auth_server.settings.store import DataSettings


class ClientSettings(DataSettings):
    """Pre-registered clients, and the bounds of registration."""

    auth_clients: str = Field("[]", description="pre-registered clients, a JSON list")
    auth_client_ceiling: int = Field(10_000, ge=1)
    auth_registration: Literal["open", "token", "off"] = "open"
    auth_client_documents: bool = Field(True, description="whether a client_id may be a URL")
    auth_client_document_hosts: str = Field("", description="hosts they may be on; empty: any")
    auth_client_document_denied_hosts: str = Field("", description="hosts they must not be on")

    @property
    def document_hosts(self) -> DocumentHosts:
        """Where documents of clients, and what they point to, may be fetched from."""
        return DocumentHosts.parse(
            self.auth_client_document_hosts, self.auth_client_document_denied_hosts
        )

    @property
    def clients(self) -> list[dict[str, Any]]:
        """The pre-registered clients, as RFC 7591 metadata with client_id and client_secret."""
        parsed: list[dict[str, Any]] = json.loads(self.auth_clients)
        return parsed

    @field_validator("auth_clients")
    @classmethod
    def _check_clients(cls, value: str) -> str:
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = None
        if not isinstance(parsed, list) or not all(
            isinstance(item, dict) and isinstance(item.get("client_id"), str) for item in parsed
        ):
            raise ValueError("must be a JSON list of objects, each with a client_id")
        return value

    @field_validator("auth_client_document_hosts", "auth_client_document_denied_hosts")
    @classmethod
    def _check_hosts(cls, value: str) -> str:
        parse_host_patterns(value)
        return value

    @model_validator(mode="after")
    def _check_configured_clients(self) -> Self:
        schemes = self.private_use_schemes
        for position, item in enumerate(self.clients, start=1):
            client_secret = item.get("client_secret", "")
            if not isinstance(client_secret, str):
                raise ValueError(f"AUTH_CLIENTS, client {position}: client_secret must be a string")
            try:
                _check_metadata(item, schemes)
            except OAuthError as error:
                raise ValueError(f"AUTH_CLIENTS, client {position}: {error.description}") from None
        return self


def _check_metadata(item: dict[str, Any], private_use_schemes: frozenset[str]) -> None:
    client_id: str = item["client_id"]
    if is_document_url(client_id):
        # A pinned copy: what the client publishes, kept here and not fetched.
        parse_client_document(client_id, item, private_use_schemes)
    else:
        metadata = parse_client_metadata(item, private_use_schemes)
        _check_keys(item, metadata.token_endpoint_auth_method)


def _check_keys(item: dict[str, Any], method: TokenEndpointAuthMethod) -> None:
    """Refuse an entry that would be proven in another way than whoever wrote it meant."""
    if method is not TokenEndpointAuthMethod.PRIVATE_KEY_JWT and item.keys() & {"jwks", "jwks_uri"}:
        raise InvalidClientMetadata("jwks and jwks_uri need private_key_jwt")
    if method is TokenEndpointAuthMethod.PRIVATE_KEY_JWT and "client_secret" in item:
        raise InvalidClientMetadata("private_key_jwt needs no client_secret")
