"""What this process is told by its environment, checked before anything is opened."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from service_kit.settings import (
    ServiceSettings,
    check_public_url,
    is_development,
    refuse_placeholder,
)

Port = Annotated[int, Field(ge=1, le=65535)]

MCP_PATH = "/mcp"


class Settings(ServiceSettings):
    """The variables of the MCP service; a description here is the text of `--help`."""

    mcp_resource: str = Field(
        description="The resource identifier and public URL of this server, ending in /mcp."
    )
    mcp_listen_host: str = Field("127.0.0.1", description="The address both ports are bound to.")
    mcp_port: Port = Field(8081, description="The public port.")
    mcp_internal_port: Port = Field(8091, description="The port of /livez, /readyz and /metrics.")
    mcp_allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins of browser-based clients, comma separated. The own origin is always"
        " allowed; in development every loopback origin is.",
    )
    mcp_introspection_cache_seconds: float = Field(
        5.0, ge=0, le=60, description="How long an answer of auth may be used again; 0: never."
    )
    auth_issuer: str = Field(description="The issuer identifier of auth, compared as a string.")
    auth_internal_url: str = Field(description="Where auth's internal port is reached from here.")
    introspection_client_id: str = Field(
        min_length=1, description="The name this server has at auth's introspection endpoint."
    )
    introspection_client_secret: SecretStr = Field(description="The secret that goes with it.")
    api_url: str = Field(description="Where todo-api is reached from here.")
    reveal_downstream_token: bool = Field(
        False, description="Let who_am_i show the token itself; refused outside development."
    )

    @property
    def development(self) -> bool:
        """True when the own public URL is http on a loopback host."""
        return is_development(self.mcp_resource)

    @field_validator("mcp_resource")
    @classmethod
    def _check_resource(cls, value: str) -> str:
        if urlsplit(check_public_url(value, path_allowed=True)).path != MCP_PATH:
            raise ValueError(f"must have the path {MCP_PATH}, where the server is mounted")
        return value

    @field_validator("auth_issuer")
    @classmethod
    def _check_issuer(cls, value: str) -> str:
        return check_public_url(value)

    @field_validator("auth_internal_url", "api_url")
    @classmethod
    def _check_service_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ValueError("must be an absolute http(s) URL")
        if parts.query or parts.fragment or parts.username is not None or value.endswith("/"):
            raise ValueError("must not have a trailing slash, a query or user information")
        return value

    @field_validator("mcp_allowed_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: str | tuple[str, ...]) -> tuple[str, ...]:
        items = value.split(",") if isinstance(value, str) else value
        origins = tuple(item.strip() for item in items if item.strip())
        for origin in origins:
            parts = urlsplit(origin)
            if f"{parts.scheme}://{parts.netloc}" != origin or not parts.hostname:
                raise ValueError("must be a list of origins such as https://app.example.com")
        return origins

    @model_validator(mode="after")
    def _refuse_development_values(self) -> Self:
        if self.development:
            return self
        if self.reveal_downstream_token:
            raise ValueError(
                "REVEAL_DOWNSTREAM_TOKEN is for development only: MCP_RESOURCE would have to be"
                " http on a loopback host"
            )
        refuse_placeholder(
            "INTROSPECTION_CLIENT_SECRET", self.introspection_client_secret.get_secret_value()
        )
        return self
