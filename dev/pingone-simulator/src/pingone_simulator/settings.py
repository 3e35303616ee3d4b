"""The simulator's environment variables, SIMULATOR_*. Every one has a default for development."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from pingone_simulator.resources import API_SCOPES
from service_kit.settings import ServiceSettings
from service_kit.urls import DEFAULT_PORTS, parse_url

DEFAULT_ISSUER = "http://localhost:9080/9b3a7c1e-4d52-4f86-a0be-6c1d2e8f7a45/as"

# https://auth.pingone.<region>/<environment id>/as: the environment id is a claim of some tokens.
_ISSUER_PATH = re.compile(r"/(?P<environment_id>[A-Za-z0-9-]+)/as")
_DAY = 24 * 3600

CommaSeparated = Annotated[tuple[str, ...], NoDecode]
Seconds = Annotated[int, Field(gt=0)]


class SimulatorSettings(ServiceSettings):
    """What a PingOne administrator would set in the console, and where the simulator listens."""

    model_config = SettingsConfigDict(
        alias_generator=lambda name: f"simulator_{name}", populate_by_name=True
    )

    acknowledge_insecure: Literal["yes", ""] = ""
    issuer: str = DEFAULT_ISSUER
    listen_host: str = "127.0.0.1"
    port: int = Field(default=9080, ge=1, le=65535)

    client_id: str = Field(default="c7d1e0b2-3f64-4a0b-8f5d-1a9e5b7c2d38", min_length=1)
    client_secret: SecretStr = Field(default=SecretStr("development-client-secret"), min_length=1)
    redirect_uris: CommaSeparated = ("http://localhost:8080/callback",)
    post_logout_redirect_uris: CommaSeparated = ("http://localhost:8080/account",)
    api_identifier: str = Field(default="https://todo.api.com", min_length=1)
    # More APIs, each with its scopes. A scope's name belongs to one of them.
    resources: dict[str, tuple[str, ...]] = Field(default={})

    access_token_type: Literal["JWT", "at+jwt"] = "JWT"
    access_token_seconds: Seconds = 3600
    id_token_seconds: Seconds = 3600
    refresh_token_seconds: Seconds = 30 * _DAY
    refresh_token_rolling_seconds: Seconds = 180 * _DAY
    refresh_grace_seconds: int = Field(default=0, ge=0, le=_DAY)

    key_file: Path | None = None
    max_entries: int = Field(default=20_000, ge=1)

    @field_validator("redirect_uris", "post_logout_redirect_uris", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("redirect_uris", "post_logout_redirect_uris")
    @classmethod
    def _must_be_absolute(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for uri in value:
            parts = parse_url(uri)
            if parts.authority is None or parts.fragment is not None:
                raise ValueError(f"{uri!r} is not an absolute URL without a fragment")
        return value

    @field_validator("resources")
    @classmethod
    def _must_not_share_scopes(
        cls, value: dict[str, tuple[str, ...]]
    ) -> dict[str, tuple[str, ...]]:
        names = [name for names in (*value.values(), API_SCOPES) for name in names]
        if len(set(names)) < len(names):
            raise ValueError("names a scope twice")
        return value

    @field_validator("issuer")
    @classmethod
    def _must_be_loopback_or_acknowledged(cls, value: str, info: ValidationInfo) -> str:
        parts = parse_url(value)
        if parts.authority is None or parts.scheme not in DEFAULT_PORTS:
            raise ValueError("must be an absolute http(s) URL")
        if (
            parts.query is not None
            or parts.fragment is not None
            or not _ISSUER_PATH.fullmatch(parts.path)
        ):
            raise ValueError("must look like PingOne's: http://host:port/<environment id>/as")
        acknowledged = info.data.get("acknowledge_insecure") == "yes"
        if not parts.authority.is_loopback and not acknowledged:
            raise ValueError(
                "is not on a loopback host. The simulator signs anyone in with published passwords;"
                " if you mean it, set SIMULATOR_ACKNOWLEDGE_INSECURE=yes"
            )
        return value

    @property
    def issuer_path(self) -> str:
        """The path below which every PingOne endpoint is served."""
        return parse_url(self.issuer).path

    @property
    def environment_id(self) -> str:
        """The first segment of the issuer's path, as at PingOne."""
        return self.issuer_path.split("/")[1]
