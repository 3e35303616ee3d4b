"""Which clients there are, and which may come."""

import json
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from auth_server.domain.errors import OAuthError
from auth_server.domain.registration import parse_client_metadata
from auth_server.settings.store import DataSettings


class ClientSettings(DataSettings):
    """Pre-registered clients, and the bounds of registration."""

    auth_clients: str = Field("[]", description="pre-registered clients, a JSON list")
    auth_client_ceiling: int = Field(10_000, ge=1)

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
