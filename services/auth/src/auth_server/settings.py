"""The environment of the authorization server. Read by app and cli only."""

import json
from datetime import timedelta
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from auth_server.domain.errors import InvalidScope, OAuthError
from auth_server.domain.lifetimes import Lifetimes
from auth_server.domain.registration import parse_client_metadata
from auth_server.domain.scopes import parse_scope
from auth_server.storage.database import COMMAND_TIMEOUT_SECONDS
from auth_server.storage.encryption import KeyRing
from auth_server.storage.engines import (
    POOL_TIMEOUT_SECONDS,
    parse_database_url,
)
from auth_server.storage.key_files import given_keys, split_keys
from service_kit.client_address import parse_trusted_proxies
from service_kit.settings import (
    ServiceSettings,
    check_public_url,
    is_development,
    refuse_placeholder,
)

_MAX_DAYS: Final = 3650
# A stop waits for twice as long, and a pod's grace for that.
MAX_PINGONE_TIMEOUT_SECONDS: Final = 20.0


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


class DataSettings(StoreSettings):
    """What looking after the data needs: database, key ring and lifetimes, nothing of PingOne's."""

    # The file first: it has been read when the keys are.
    auth_encryption_keys_file: str = ""
    auth_encryption_keys: SecretStr = Field(SecretStr(""), validate_default=True)

    auth_code_seconds: int = Field(60, ge=5, le=600)
    auth_access_handle_seconds: int = Field(3600, ge=1, le=86_400)
    auth_refresh_handle_days: int = Field(30, ge=1, le=_MAX_DAYS)
    auth_refresh_grace_seconds: int = Field(60, ge=0, le=600)
    auth_grant_days: int = Field(180, ge=1, le=_MAX_DAYS)
    auth_grants_per_client: int = Field(20, ge=1, le=1000)
    auth_consent_days: int = Field(30, ge=1, le=_MAX_DAYS)
    auth_audit_days: int = Field(365, ge=1, le=_MAX_DAYS)
    auth_private_use_schemes: str = "cursor vscode vscode-insiders"

    @property
    def private_use_schemes(self) -> frozenset[str]:
        """Schemes that redirect URIs may have beside https and loopback http."""
        return frozenset(self.auth_private_use_schemes.split())

    @property
    def key_ring(self) -> KeyRing:
        """The keys of the ring, whether they came from a variable or from a file."""
        return KeyRing.parse(self.auth_encryption_keys.get_secret_value())

    @property
    def lifetimes(self) -> Lifetimes:
        """How long things live."""
        return Lifetimes(
            code=timedelta(seconds=self.auth_code_seconds),
            access_handle=timedelta(seconds=self.auth_access_handle_seconds),
            refresh_handle=timedelta(days=self.auth_refresh_handle_days),
            refresh_grace=timedelta(seconds=self.auth_refresh_grace_seconds),
            grant=timedelta(days=self.auth_grant_days),
            consent=timedelta(days=self.auth_consent_days),
            audit=timedelta(days=self.auth_audit_days),
        )

    @field_validator("auth_encryption_keys")
    @classmethod
    def _read_encryption_keys(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        file = info.data.get("auth_encryption_keys_file", "")
        keys = given_keys("AUTH_ENCRYPTION_KEYS", value.get_secret_value(), file)
        try:
            KeyRing.parse(keys)
        except ValueError as error:
            raise ValueError(f"{file}: {error}" if file else str(error)) from None
        return SecretStr(keys)


class AuthSettings(DataSettings):
    """Every field is the environment variable of the same name."""

    # Required here: a forgotten one must not turn production into development.
    auth_public_url: str = Field(description="the issuer")
    auth_listen_host: str = "127.0.0.1"
    auth_port: int = Field(8080, ge=1, le=65535)
    auth_internal_port: int = Field(8090, ge=1, le=65535)
    auth_redis_url: SecretStr = SecretStr("")
    auth_trusted_proxies: str = Field("", description="networks whose X-Forwarded-For counts")
    cookie_encryption_key_file: str = ""
    cookie_encryption_key: SecretStr = Field(SecretStr(""), validate_default=True)

    pingone_issuer: str
    mcp_server_client_id: str
    mcp_server_client_secret: SecretStr
    api_identifier: str
    pingone_scopes: str = "openid profile"
    pingone_timeout_seconds: float = Field(10.0, gt=0, le=MAX_PINGONE_TIMEOUT_SECONDS)
    pingone_refresh_grace_seconds: int = Field(0, ge=0, le=86_400)
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
    auth_client_ceiling: int = Field(10_000, ge=1)

    auth_sweep_seconds: int = Field(300, ge=1, le=86_400)

    @property
    def upstream_redirect_uri(self) -> str:
        """Where PingOne sends the browser back to: to be registered there exactly like this."""
        return f"{self.auth_public_url}/callback"

    @property
    def cookie_keys(self) -> tuple[str, ...]:
        """The keys that sign forms: the first signs, all verify."""
        return split_keys(self.cookie_encryption_key.get_secret_value())

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
    def drain_seconds(self) -> float:
        """How long a stop waits for work under way: a refresh, a fetch of keys, storing."""
        return 2 * self.pingone_timeout_seconds + COMMAND_TIMEOUT_SECONDS

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

    @field_validator("auth_redis_url")
    @classmethod
    def _check_redis_url(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        try:
            parts = urlsplit(url)
            is_usable = parts.scheme in {"redis", "rediss"} and parts.hostname and parts.port != 0
        except ValueError:
            is_usable = False
        if url and not is_usable:
            raise ValueError("must be redis://host:port or rediss://user:password@host:port")
        return value

    @field_validator("auth_trusted_proxies")
    @classmethod
    def _check_trusted_proxies(cls, value: str) -> str:
        parse_trusted_proxies(value)
        return value

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

    @field_validator("cookie_encryption_key")
    @classmethod
    def _read_cookie_keys(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        file = info.data.get("cookie_encryption_key_file", "")
        keys = given_keys("COOKIE_ENCRYPTION_KEY", value.get_secret_value(), file)
        if not split_keys(keys):
            raise ValueError("must hold at least one key")
        return SecretStr(keys)

    @model_validator(mode="after")
    def _check_configured_clients(self) -> Self:
        schemes = self.private_use_schemes
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
