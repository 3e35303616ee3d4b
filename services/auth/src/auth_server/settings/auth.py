"""Everything that a serving process is told."""

from typing import Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from auth_server.settings.clients import ClientSettings
from auth_server.settings.pingone import PingOneSettings
from auth_server.settings.rate_limits import RateLimitSettings
from auth_server.settings.resources import ResourceSettings
from service_kit.client_address import parse_trusted_proxies
from service_kit.key_files import given_keys, split_keys
from service_kit.rate_limits import check_redis_url
from service_kit.settings import refuse_placeholder, refuse_same_port


class AuthSettings(ResourceSettings, PingOneSettings, ClientSettings, RateLimitSettings):
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

    auth_sweep_seconds: int = Field(300, ge=1, le=86_400)

    @property
    def cookie_keys(self) -> tuple[str, ...]:
        """The keys that sign forms: the first signs, all verify."""
        return split_keys(self.cookie_encryption_key.get_secret_value())

    @field_validator("auth_redis_url")
    @classmethod
    def _check_redis_url(cls, value: SecretStr) -> SecretStr:
        check_redis_url(value.get_secret_value())
        return value

    @field_validator("auth_trusted_proxies")
    @classmethod
    def _check_trusted_proxies(cls, value: str) -> str:
        parse_trusted_proxies(value)
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
    def _check_ports_differ(self) -> Self:
        refuse_same_port(self.auth_port, self.auth_internal_port, prefix="AUTH")
        return self

    @model_validator(mode="after")
    def _refuse_placeholders(self) -> Self:
        if self.is_development:
            return self
        secrets = {
            "MCP_SERVER_CLIENT_SECRET": self.mcp_server_client_secret.get_secret_value(),
        }
        if not self.auth_resources:
            secret = self.introspection_client_secret.get_secret_value()
            secrets["INTROSPECTION_CLIENT_SECRET"] = secret
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
