"""The environment variables of todo-api."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from service_kit.settings import (
    LogLevel,
    ServiceSettings,
    check_public_url,
    is_development,
    refuse_same_port,
)
from service_kit.urls import parse_url


def _check_issuer(issuer: str) -> str:
    return check_public_url(issuer, path_allowed=True)


def _check_database_url(value: SecretStr) -> SecretStr:
    try:
        url = make_url(value.get_secret_value())
    except ArgumentError:
        raise ValueError("is not a database URL") from None
    if url.drivername == "postgresql+asyncpg" or _is_sqlite_file(url):
        return value
    raise ValueError(
        "must be postgresql+asyncpg://user:password@host/database or sqlite+aiosqlite:///file.db"
    )


def _is_sqlite_file(url: URL) -> bool:
    # An in-memory database is private to one connection: every other one would find no tables.
    file = url.database or ":memory:"
    return url.drivername == "sqlite+aiosqlite" and not file.startswith((":memory:", "file:"))


Port = Annotated[int, Field(ge=1, le=65535)]
# RFC 6749 3.3: scope-token
ScopeName = Annotated[str, Field(pattern=r"^[\x21\x23-\x5B\x5D-\x7E]+$", max_length=255)]


class StoreSettings(ServiceSettings):
    """What a migration needs to know; a field's name in capitals is its variable."""

    todo_public_url: Annotated[str, AfterValidator(check_public_url)] = "http://localhost:8082"
    todo_database_url: Annotated[SecretStr, AfterValidator(_check_database_url)] = SecretStr(
        "sqlite+aiosqlite:///.local-state/todo.db"
    )

    todo_log_level: LogLevel = "INFO"

    @property
    def development(self) -> bool:
        """True when this service's own URL is http on a loopback host."""
        return is_development(self.todo_public_url)


class TodoApiSettings(StoreSettings):
    """What the service needs to know."""

    # Without a default: a forgotten one must not turn production into development.
    todo_public_url: Annotated[str, AfterValidator(check_public_url)]
    todo_listen_host: str = "127.0.0.1"
    todo_port: Port = 8082
    todo_internal_port: Port = 8092
    todo_max_per_user: Annotated[int, Field(ge=1, le=100_000)] = 1000
    api_issuer: Annotated[str, AfterValidator(_check_issuer)]
    api_audience: Annotated[str, Field(min_length=1)] = "https://todo.api.com"
    api_jwks_uri: str | None = None
    api_read_scope: ScopeName = "todo_api:read"
    api_write_scope: ScopeName = "todo_api:write"

    @model_validator(mode="after")
    def _check_jwks_uri(self) -> Self:
        if not self.api_jwks_uri:
            return self
        try:
            # In development containers reach the issuer by a name, which is not loopback, and
            # without TLS.
            if self.development and parse_url(self.api_jwks_uri).scheme == "http":
                return self
            check_public_url(self.api_jwks_uri, path_allowed=True)
        except ValueError as error:
            raise ValueError(f"API_JWKS_URI {error}") from None
        return self

    @model_validator(mode="after")
    def _check_ports_differ(self) -> Self:
        refuse_same_port(self.todo_port, self.todo_internal_port, prefix="TODO")
        return self
