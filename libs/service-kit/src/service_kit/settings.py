"""Settings from environment variables, refused at start with a message that says what to change."""

import ipaddress
import os
import sys
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_LOOPBACK_NAMES = frozenset({"localhost"})
# Values that people copy from examples. They are welcome in development and nowhere else.
_PLACEHOLDERS = ("changeme", "change-me", "placeholder", "example", "development", "insecure")


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


def read_settings_or_exit(settings_class: type[SettingsT]) -> SettingsT:
    """Like read_settings, for the start of a process: print what to change, exit with EX_CONFIG."""
    try:
        return read_settings(settings_class)
    except InvalidSettings as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(os.EX_CONFIG) from None


def _explain(error: ValidationError) -> str:
    lines = ["This service cannot start with the environment it was given:"]
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        variable = "_".join(str(part) for part in item["loc"]).upper() or "the settings together"
        lines.append(f"  {variable}: {item['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)


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
    parts = urlsplit(url)
    if parts.hostname is None or parts.scheme not in {"http", "https"}:
        raise ValueError("must be an absolute http(s) URL")
    if parts.scheme == "http" and not is_loopback_host(parts.hostname):
        raise ValueError("must be https; plain http is accepted on a loopback host only")
    if parts.query or parts.fragment or parts.username is not None or url.endswith(("/", "?", "#")):
        raise ValueError("must not have a trailing slash, a query, a fragment or user information")
    if parts.path and not path_allowed:
        raise ValueError("must not have a path")
    return url


def refuse_placeholder(name: str, value: str) -> None:
    """Raise ValueError when a secret is short or looks like one copied from an example."""
    lowered = value.lower()
    if len(value) < 16 or any(word in lowered for word in _PLACEHOLDERS):
        raise ValueError(
            f"{name} is a placeholder or shorter than 16 characters; outside development it must be"
            " a random secret, for example from: openssl rand -base64 32"
        )
