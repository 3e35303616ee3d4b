"""The environment of the authorization server. Read by app.py and cli.py only."""

import json
from datetime import timedelta
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from auth_server.domain.errors import InvalidScope, OAuthError
from auth_server.domain.registration import parse_client_metadata
from auth_server.domain.scopes import parse_scope
from auth_server.storage.database import COMMAND_TIMEOUT_SECONDS
from auth_server.storage.encryption import KeyRing
from auth_server.storage.engines import (
    POOL_TIMEOUT_SECONDS,
    parse_database_url,
)
from service_kit.settings import (
    ServiceSettings,
    check_public_url,
    is_development,
    refuse_placeholder,
)

_MAX_DAYS: Final = 3650


class StoreSettings(ServiceSettings):
    """What a migration needs to know: no key and no credential but the database's."""

    auth_public_url: str = Field("http://localhost:8080", description="the issuer")
    auth_database_url: SecretStr = SecretStr("sqlite+aiosqlite:///.local-state/auth.db")
    auth_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"

    @property
    def is_development(self) -> bool:
        """True when the issuer is http on a loopback host."""
        return is_development(self.auth_public_url)

    @field_validator("auth_public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        return check_public_url(value)

    @field_validator("auth_database_url")
    @classmethod
    def _check_database_url(cls, value: SecretStr) -> SecretStr:
        parse_database_url(value.get_secret_value())
        return value


class AuthSettings(StoreSettings):
    """Every field is the environment variable of the same name."""

    # Required here: a forgotten one must not turn production into development.
    auth_public_url: str = Field(description="the issuer")
    auth_listen_host: str = "127.0.0.1"
    auth_port: int = Field(8080, ge=1, le=65535)
    auth_internal_port: int = Field(8090, ge=1, le=65535)
    auth_encryption_keys: SecretStr
    cookie_encryption_key: SecretStr

    pingone_issuer: str
    mcp_server_client_id: str
    mcp_server_client_secret: SecretStr
    api_identifier: str
    pingone_scopes: str = "openid profile"
    pingone_timeout_seconds: float = Field(10.0, gt=0, le=60)
    pingone_authorization_endpoint: str | None = None
    pingone_token_endpoint: str | None = None
    pingone_jwks_uri: str | None = None
    pingone_userinfo_endpoint: str | None = None
    pingone_revocation_endpoint: str | None = None

    mcp_resource: str
    mcp_scopes: str = "todo_api:read todo_api:write"
    introspection_client_id: str
    introspection_client_secret: SecretStr

    auth_clients: str = Field("[]", description="pre-registered clients, a JSON list")
    auth_private_use_schemes: str = "cursor vscode vscode-insiders"
    auth_client_ceiling: int = Field(10_000, ge=1)

    auth_code_seconds: int = Field(60, ge=5, le=600)
    auth_access_handle_seconds: int = Field(3600, ge=1, le=86_400)
    auth_refresh_handle_days: int = Field(30, ge=1, le=_MAX_DAYS)
    auth_grant_days: int = Field(180, ge=1, le=_MAX_DAYS)
    auth_consent_days: int = Field(30, ge=1, le=_MAX_DAYS)
    auth_sweep_seconds: int = Field(300, ge=1, le=86_400)

    @property
    def cookie_keys(self) -> tuple[str, ...]:
        """The keys that sign forms: the first signs, all verify."""
        keys = self.cookie_encryption_key.get_secret_value().split(",")
        return tuple(key.strip() for key in keys if key.strip())

    @property
    def clients(self) -> list[dict[str, Any]]:
        """The pre-registered clients, as RFC 7591 metadata with client_id and client_secret."""
        parsed: list[dict[str, Any]] = json.loads(self.auth_clients)
        return parsed

    @property
    def endpoint_overrides(self) -> dict[str, str]:
        """PingOne endpoints that are not to be discovered."""
        given = {
            "authorization_endpoint": self.pingone_authorization_endpoint,
            "token_endpoint": self.pingone_token_endpoint,
            "jwks_uri": self.pingone_jwks_uri,
            "userinfo_endpoint": self.pingone_userinfo_endpoint,
            "revocation_endpoint": self.pingone_revocation_endpoint,
        }
        return {name: url for name, url in given.items() if url}

    @property
    def refresh_lease(self) -> timedelta:
        """Outlasts what it guards: the refresh, a fetch of keys, and the waits of the database."""
        return timedelta(
            seconds=2 * self.pingone_timeout_seconds
            + 2 * (POOL_TIMEOUT_SECONDS + COMMAND_TIMEOUT_SECONDS)
        )

    @field_validator("pingone_issuer", "mcp_resource")
    @classmethod
    def _check_url(cls, value: str) -> str:
        return check_public_url(value, path_allowed=True)

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

    @field_validator("mcp_scopes", "pingone_scopes")
    @classmethod
    def _check_scopes(cls, value: str) -> str:
        try:
            parse_scope(value)
        except InvalidScope as error:
            raise ValueError(error.description) from None
        return value

    @field_validator("auth_encryption_keys")
    @classmethod
    def _check_encryption_keys(cls, value: SecretStr) -> SecretStr:
        KeyRing.parse(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _check_configured_clients(self) -> Self:
        schemes = frozenset(self.auth_private_use_schemes.split())
        for position, item in enumerate(self.clients, start=1):
            client_secret = item.get("client_secret", "")
            if not isinstance(client_secret, str):
                raise ValueError(f"AUTH_CLIENTS, client {position}: client_secret must be a string")
            try:
                parse_client_metadata(item, schemes)
            except OAuthError as error:
                raise ValueError(f"AUTH_CLIENTS, client {position}: {error.description}") from None
        return self

    @model_validator(mode="after")
    def _check_overrides(self) -> Self:
        for name, url in self.endpoint_overrides.items():
            parts = urlsplit(url)
            # In development, containers reach PingOne's stand-in by a name and without TLS.
            schemes = {"https", "http"} if self.is_development else {"https"}
            if parts.scheme not in schemes or not parts.hostname:
                raise ValueError(f"PINGONE_{name.upper()} must be an https URL")
        return self

    @model_validator(mode="after")
    def _refuse_placeholders(self) -> Self:
        if not self.cookie_keys:
            raise ValueError("COOKIE_ENCRYPTION_KEY must hold at least one key")
        if self.is_development:
            return self
        secrets = {
            "MCP_SERVER_CLIENT_SECRET": self.mcp_server_client_secret.get_secret_value(),
            "INTROSPECTION_CLIENT_SECRET": self.introspection_client_secret.get_secret_value(),
        }
        for name, secret in secrets.items():
            refuse_placeholder(name, secret)
        for key in self.cookie_keys:
            refuse_placeholder("COOKIE_ENCRYPTION_KEY", key)
        for entry in self.auth_encryption_keys.get_secret_value().split(","):
            refuse_placeholder("AUTH_ENCRYPTION_KEYS", entry.partition(":")[2])
        for item in self.clients:
            if "client_secret" in item:
                refuse_placeholder("AUTH_CLIENTS: a client_secret", item["client_secret"])
        return self
