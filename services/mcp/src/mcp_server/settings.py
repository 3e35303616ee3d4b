"""What this process is told by its environment, checked before anything is opened."""

import re
from typing import Annotated, Final, Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import NoDecode

from mcp_server.bearer.rate_limits import units_of
from mcp_server.tool_scopes import MINIMAL_SCOPES, SUPPORTED_SCOPES
from service_kit.client_address import parse_trusted_proxies
from service_kit.key_files import given_keys, split_keys
from service_kit.rate_limits import check_redis_url, parse_limits
from service_kit.settings import (
    LogLevel,
    ServiceSettings,
    check_public_url,
    is_development,
    refuse_placeholder,
    refuse_same_port,
)
from service_kit.urls import DEFAULT_PORTS, parse_url

Port = Annotated[int, Field(ge=1, le=65535)]

MCP_PATH = "/mcp"
MIN_KEY_BYTES: Final = 32
# As browsers send them: in lower case, and without a path. A port may be `*`: any.
_HOST: Final = r"(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?:\*|[1-9][0-9]{0,4}))?"
_ORIGIN: Final = rf"[a-z][a-z0-9+.-]*://{_HOST}"


class Settings(ServiceSettings):
    """The variables of the MCP service; a description here is the text of `--help`."""

    mcp_resource: str = Field(
        description="The resource identifier and public URL of this server, ending in /mcp."
    )
    mcp_listen_host: str = Field("127.0.0.1", description="The address both ports are bound to.")
    mcp_port: Port = Field(8081, description="The public port.")
    mcp_internal_port: Port = Field(8091, description="The port of /livez, /readyz and /metrics.")
    mcp_log_level: LogLevel = Field("INFO", description="The least important lines to log.")
    mcp_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Host headers that are answered beside the one of MCP_RESOURCE, comma"
        " separated, such as mcp.internal:8081 or mcp.internal:* (any port): for a proxy that does"
        " not pass the client's Host on. In development every loopback host is answered.",
    )
    mcp_allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins of browser-based clients, comma separated, such as"
        " https://app.example.com or http://localhost:* (any port). The own origin is always"
        " allowed; in development every loopback origin is.",
    )
    mcp_max_body_bytes: int = Field(
        1024 * 1024,
        ge=16 * 1024,
        le=16 * 1024 * 1024,
        description="The longest request body in bytes; a longer one is 413.",
    )
    mcp_max_depth: int = Field(
        64, ge=16, le=128, description="How deep a message may be nested; a deeper one is 400."
    )
    # The file first: it has been read when the keys are.
    mcp_request_state_keys_file: str = Field(
        "", description="A file with the keys of MCP_REQUEST_STATE_KEYS, one a line."
    )
    mcp_request_state_keys: SecretStr = Field(
        SecretStr(""),
        validate_default=True,
        description="Random keys of 32 characters or more, comma separated, which protect what a"
        " client sends back when the user was asked; the first seals, all open. The same for all"
        " replicas. Without them, in development only, each process makes its own.",
    )
    mcp_challenge_scopes: str = Field(
        " ".join(MINIMAL_SCOPES),
        description="What the 401 tells a client to ask for, separated by spaces. More than reading"
        " is for clients that cannot ask for more later.",
    )
    mcp_limit_tool_calls: str = Field(
        "600/minute", description="Tool calls of one grant; empty: no limit."
    )
    mcp_limit_messages: str = Field(
        "1200/minute",
        description="Messages of one grant, tool calls among them, each counted once for every 16"
        " KiB that its body has begun; empty: no limit.",
    )
    mcp_limit_failures: str = Field(
        "600/minute",
        description="Dead handles from one address, at each replica; empty: no limit.",
    )
    mcp_limit_cross_origin: str = Field(
        "60/minute",
        description="Dead handles that pages of other origins present from one address, at each"
        " replica; empty: no limit.",
    )
    mcp_redis_url: SecretStr = Field(
        SecretStr(""),
        description="redis://host:port: the replicas share the limits by grant; without it each has"
        " its own. Not auth's database of it.",
    )
    mcp_trusted_proxies: str = Field(
        "",
        description="Networks of the proxies in front, comma separated; only their X-Forwarded-For"
        " counts. none: there is no proxy. Outside development nobody is limited by address"
        " without it.",
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

    @property
    def request_state_keys(self) -> tuple[str, ...]:
        """The keys, whether they came from a variable or from a file; none in development only."""
        return split_keys(self.mcp_request_state_keys.get_secret_value())

    @property
    def challenge_scopes(self) -> tuple[str, ...]:
        """What a client is told to begin with."""
        return tuple(self.mcp_challenge_scopes.split())

    @field_validator("mcp_resource")
    @classmethod
    def _check_resource(cls, value: str) -> str:
        if parse_url(check_public_url(value, path_allowed=True)).path != MCP_PATH:
            raise ValueError(f"must have the path {MCP_PATH}, where the server is mounted")
        return value

    @field_validator("auth_issuer")
    @classmethod
    def _check_issuer(cls, value: str) -> str:
        return check_public_url(value)

    @field_validator("auth_internal_url", "api_url")
    @classmethod
    def _check_service_url(cls, value: str) -> str:
        parts = parse_url(value)
        if parts.scheme not in DEFAULT_PORTS:
            raise ValueError("must be an absolute http(s) URL")
        if parts.query is not None or parts.fragment is not None or value.endswith("/"):
            raise ValueError("must not have a trailing slash, a query or a fragment")
        return value

    @field_validator("mcp_allowed_hosts", "mcp_allowed_origins", mode="before")
    @classmethod
    def _split_names(cls, value: str | tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        names = split_keys(value) if isinstance(value, str) else value
        if info.field_name == "mcp_allowed_hosts":
            form, example = _HOST, "mcp.example.com, mcp.example.com:8443 or mcp.example.com:*"
        else:
            form, example = _ORIGIN, "https://app.example.com or http://localhost:*"
        for name in names:
            port = name.rpartition(":")[2]
            if not re.fullmatch(form, name) or (port.isdecimal() and int(port) > 65535):
                raise ValueError(f"must be exact names in lower case, such as {example}")
        return names

    @field_validator("mcp_challenge_scopes")
    @classmethod
    def _check_challenge_scopes(cls, value: str) -> str:
        scopes = value.split()
        if not scopes or not set(scopes) <= set(SUPPORTED_SCOPES):
            raise ValueError(f"must be one or more of: {' '.join(SUPPORTED_SCOPES)}")
        return value

    @field_validator(
        "mcp_limit_tool_calls",
        "mcp_limit_messages",
        "mcp_limit_failures",
        "mcp_limit_cross_origin",
    )
    @classmethod
    def _check_limits(cls, value: str) -> str:
        parse_limits(value)
        return value

    @field_validator("mcp_redis_url")
    @classmethod
    def _check_redis_url(cls, value: SecretStr) -> SecretStr:
        check_redis_url(value.get_secret_value())
        return value

    @field_validator("mcp_trusted_proxies")
    @classmethod
    def _check_trusted_proxies(cls, value: str) -> str:
        parse_trusted_proxies(value)
        return value

    @field_validator("mcp_request_state_keys")
    @classmethod
    def _read_keys(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        text, file = value.get_secret_value(), info.data.get("mcp_request_state_keys_file", "")
        if not text and not file:
            return value  # in development only, as is checked below
        keys = split_keys(given_keys("MCP_REQUEST_STATE_KEYS", text, file))
        if any(len(key.encode()) < MIN_KEY_BYTES for key in keys) or len(set(keys)) < len(keys):
            raise ValueError(f"must be different keys of at least {MIN_KEY_BYTES} characters each")
        return SecretStr(",".join(keys))

    @model_validator(mode="after")
    def _check_ports_differ(self) -> Self:
        refuse_same_port(self.mcp_port, self.mcp_internal_port, prefix="MCP")
        return self

    @model_validator(mode="after")
    def _check_longest_message_fits(self) -> Self:
        units = units_of(self.mcp_max_body_bytes)
        if any(limit.amount < units for limit in parse_limits(self.mcp_limit_messages)):
            raise ValueError(
                f"MCP_LIMIT_MESSAGES must allow {units} or more in each window: the longest message"
                " (MCP_MAX_BODY_BYTES) counts for as many, and would never be let in"
            )
        return self

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
        if not self.request_state_keys:
            raise ValueError("MCP_REQUEST_STATE_KEYS or MCP_REQUEST_STATE_KEYS_FILE must be set")
        for key in self.request_state_keys:
            refuse_placeholder("MCP_REQUEST_STATE_KEYS", key)
        return self
