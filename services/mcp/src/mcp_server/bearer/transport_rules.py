"""Which Host and Origin headers are accepted: one rule for this layer, CORS and the SDK.

An entry is exact, or ends in `:*` for any port, as in the SDK's TransportSecuritySettings.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class TransportRules:
    """The names this server answers to and the web origins that may call it."""

    hosts: tuple[str, ...]
    origins: tuple[str, ...]

    @classmethod
    def for_resource(
        cls,
        resource: str,
        *,
        allowed_hosts: Iterable[str],
        allowed_origins: Iterable[str],
        development: bool,
    ) -> "TransportRules":
        """Derive the rules from the own public URL; development adds every loopback name."""
        parts = urlsplit(resource)
        hosts = [parts.netloc, *allowed_hosts]
        if parts.port is None:
            hosts.append(f"{parts.netloc}:{_DEFAULT_PORTS[parts.scheme]}")
        origins = [f"{parts.scheme}://{parts.netloc}", *allowed_origins]
        if development:
            for host in _LOOPBACK_HOSTS:
                hosts += [host, f"{host}:*"]
                origins += [f"http://{host}", f"http://{host}:*"]
        return cls(tuple(hosts), tuple(origins))

    @property
    def host_pattern(self) -> re.Pattern[str]:
        """What a Host header must match in full."""
        return _any_of(self.hosts)

    @property
    def origin_pattern(self) -> re.Pattern[str]:
        """What an Origin header must match in full, if there is one."""
        return _any_of(self.origins)


def cross_origin(app: ASGIApp, rules: TransportRules) -> ASGIApp:
    """Let the pages of allowed origins call the endpoint and read its challenges.

    GET and DELETE are listed so that a page sees their 405 rather than a network error.
    """
    return CORSMiddleware(
        app,
        allow_origin_regex=rules.origin_pattern.pattern,
        allow_methods=["POST", "GET", "DELETE"],
        allow_headers=[
            "authorization",
            "content-type",
            "last-event-id",
            "mcp-method",
            "mcp-name",
            "mcp-protocol-version",
            "mcp-session-id",
        ],
        expose_headers=["WWW-Authenticate", "Retry-After"],
    )


def _any_of(entries: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(_pattern(entry) for entry in entries))


def _pattern(entry: str) -> str:
    if entry.endswith(":*"):
        return re.escape(entry.removesuffix("*")) + r"[0-9]{1,5}"
    return re.escape(entry)
