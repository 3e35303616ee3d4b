"""Settings from environment variables, refused at start with a message that says what to change."""

import ipaddress
import os
import re
import sys
from typing import Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

_LOOPBACK_NAMES = frozenset({"localhost"})
# RFC 3986 section 2, and no others: urlsplit drops line breaks, browsers turn backslashes around.
_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
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


def is_loopback_host(host: str | None) -> bool:
    """True for localhost, 127.0.0.0/8 and ::1."""
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() in _LOOPBACK_NAMES


def is_development(public_url: str) -> bool:
    """Development is derived, never set: the own public URL is http on a loopback host."""
    parts = urlsplit(public_url)
    return parts.scheme == "http" and is_loopback_host(parts.hostname)


def check_public_url(url: str, *, path_allowed: bool = False) -> str:
    """Return a public base URL unchanged; raise ValueError unless https (or http on loopback).

    Clients compare it as a string (RFC 8414 section 3.3), so nothing is normalised here.
    """
    if not _URL.fullmatch(url):
        raise ValueError(
            "must be an absolute http(s) URL without spaces or other foreign characters"
        )
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError("must be an absolute http(s) URL")
    _check_port(parts)
    if parts.netloc != parts.netloc.lower() or parts.port == _DEFAULT_PORTS[parts.scheme]:
        # Browsers send the other form as Origin, and most clients build it: it would never match.
        raise ValueError("must have a lower-case host, and no port that its scheme implies")
    if parts.scheme == "http" and not is_loopback_host(parts.hostname):
        raise ValueError("must be https; plain http is accepted on a loopback host only")
    if parts.query or parts.fragment or parts.username is not None or url.endswith(("/", "?", "#")):
        raise ValueError("must not have a trailing slash, a query, a fragment or user information")
    if parts.path and not path_allowed:
        raise ValueError("must not have a path")
    return url


def _check_port(parts: SplitResult) -> None:
    try:
        is_wrong = parts.port == 0 or parts.netloc.endswith(":")
    except ValueError:
        is_wrong = True
    if is_wrong:
        raise ValueError("must have a port between 1 and 65535, or none")


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
