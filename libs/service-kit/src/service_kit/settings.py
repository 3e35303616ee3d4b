"""Settings from environment variables, refused at start with a message that says what to change."""

import os
import sys
from typing import Literal, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from service_kit.urls import DEFAULT_PORTS, ImproperUrl, parse_url

# Values that people copy from examples. They are welcome in development and nowhere else.
_PLACEHOLDERS = ("changeme", "change-me", "placeholder", "example", "development", "insecure")
_MIN_SECRET_LENGTH = 16
# Different characters; a random secret of this length practically never has fewer.
_MIN_SECRET_VARIETY = 6


LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class ServiceSettings(BaseSettings):
    """Base of every service's settings: environment only, unknown variables ignored, immutable."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", case_sensitive=False, hide_input_in_errors=True
    )


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


class InvalidSettings(Exception):
    """The environment does not describe a service that may start. The text says what to change."""


def read_settings(settings_class: type[SettingsT]) -> SettingsT:
    """Read settings from the environment; raise InvalidSettings naming each wrong variable."""
    try:
        return settings_class()
    except ValidationError as error:
        raise InvalidSettings(_explain(error)) from None
    except SettingsError as error:  # a list or an object that is not JSON; the text names the field
        raise InvalidSettings(f"{_REFUSAL}\n  {error}") from None


def read_settings_or_exit(settings_class: type[SettingsT]) -> SettingsT:
    """Like read_settings, for the start of a process: print what to change, exit with EX_CONFIG."""
    try:
        return read_settings(settings_class)
    except InvalidSettings as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(os.EX_CONFIG) from None


_REFUSAL = "The environment is not complete, or not right:"


def _explain(error: ValidationError) -> str:
    items = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"{_variable(item['loc'])}: {_reason(item)}" for item in items]
    return "\n  ".join([_REFUSAL, *lines])


def _reason(item: ErrorDetails) -> str:
    if item["type"] == "missing":
        return "must be set"
    return item["msg"].removeprefix("Value error, ")


def _variable(location: tuple[int | str, ...]) -> str:
    if not location:
        return "the settings together"
    name, *inside = location
    # Names inside a variable's value may come from that value, so only positions are told.
    return str(name).upper() + "".join(f"[{part}]" for part in inside if isinstance(part, int))


def is_development(public_url: str) -> bool:
    """Development is derived, never set: the own public URL is http on a loopback host."""
    try:
        url = parse_url(public_url)
    except ImproperUrl:
        return False
    return url.scheme == "http" and url.authority is not None and url.authority.is_loopback


def check_public_url(url: str, *, path_allowed: bool = False) -> str:
    """Return a public base URL unchanged; raise ValueError unless https (or http on loopback).

    Clients compare it as a string (RFC 8414 section 3.3), so nothing is normalised here.
    """
    parts = parse_url(url)
    authority = parts.authority
    if authority is None or parts.scheme not in DEFAULT_PORTS:
        raise ValueError("must be an absolute http(s) URL")
    if parts.scheme == "http" and not authority.is_loopback:
        raise ValueError("must be https; plain http is accepted on a loopback host only")
    if parts.query is not None or parts.fragment is not None or url.endswith("/"):
        raise ValueError("must not have a trailing slash, a query or a fragment")
    if parts.path and not path_allowed:
        raise ValueError("must not have a path")
    if url != f"{parts.scheme}://{parts.shown_authority}{parts.path}":
        # Browsers send the other form as Origin, and most clients build it: it would never match.
        raise ValueError(
            "must have its scheme and host in lower case, and no port that its scheme implies"
        )
    return url


def refuse_placeholder(name: str, value: str) -> None:
    """Raise ValueError when a secret is short, monotonous or like one copied from an example."""
    lowered = value.lower()
    if (
        len(value) < _MIN_SECRET_LENGTH
        or len(set(value)) < _MIN_SECRET_VARIETY
        or any(word in lowered for word in _PLACEHOLDERS)
    ):
        raise ValueError(
            f"{name} is a placeholder or shorter than {_MIN_SECRET_LENGTH} characters; outside"
            " development it must be a random secret, for example from: openssl rand -base64 32"
        )


def refuse_same_port(public: int, internal: int, *, prefix: str) -> None:
    """Raise ValueError where a public port would also serve what is not for everybody."""
    if public == internal:
        raise ValueError(f"{prefix}_PORT and {prefix}_INTERNAL_PORT must differ")
