"""This service's registration at PingOne, and how PingOne is asked."""

from datetime import timedelta
from typing import Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from auth_server.settings.scopes import check_scope
from auth_server.settings.store import StoreSettings
from auth_server.storage.database import COMMAND_TIMEOUT_SECONDS
from auth_server.storage.engines import POOL_TIMEOUT_SECONDS
from service_kit.settings import check_public_url
from service_kit.urls import ImproperUrl, parse_url

# A stop waits for twice as long, and a pod's grace for that.
MAX_PINGONE_TIMEOUT_SECONDS: Final = 20.0


class PingOneSettings(StoreSettings):
    """Upstream: who this service is there, and where its endpoints are."""

    pingone_issuer: str
    mcp_server_client_id: str
    mcp_server_client_secret: SecretStr
    pingone_scopes: str = "openid profile"
    pingone_timeout_seconds: float = Field(10.0, gt=0, le=MAX_PINGONE_TIMEOUT_SECONDS)
    pingone_refresh_grace_seconds: int = Field(0, ge=0, le=86_400)
    pingone_authorization_endpoint: str | None = None
    pingone_token_endpoint: str | None = None
    pingone_jwks_uri: str | None = None
    pingone_userinfo_endpoint: str | None = None
    pingone_revocation_endpoint: str | None = None

    @property
    def upstream_redirect_uri(self) -> str:
        """Where PingOne sends the browser back to: to be registered there exactly like this."""
        return f"{self.auth_public_url}/callback"

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

    @field_validator("pingone_issuer")
    @classmethod
    def _check_pingone_issuer(cls, value: str) -> str:
        return check_public_url(value, path_allowed=True)

    @field_validator("pingone_scopes")
    @classmethod
    def _check_pingone_scopes(cls, value: str) -> str:
        return check_scope(value)

    @model_validator(mode="after")
    def _check_overrides(self) -> Self:
        for name, url in self.endpoint_overrides.items():
            # In development, containers reach PingOne's stand-in by a name and without TLS.
            schemes = {"https", "http"} if self.is_development else {"https"}
            try:
                is_allowed = parse_url(url).scheme in schemes
            except ImproperUrl as error:
                raise ValueError(f"PINGONE_{name.upper()} {error}") from None
            if not is_allowed:
                raise ValueError(f"PINGONE_{name.upper()} must be an https URL")
        return self
