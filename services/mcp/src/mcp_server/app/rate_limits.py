"""Which budgets there are, as the settings have it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from mcp_server.bearer import RateLimits
from mcp_server.settings import Settings
from service_kit.counted_addresses import CountedAddresses
from service_kit.rate_limits import Budget, RateLimiter, parse_limits

_UNKNOWN: Final = (
    "MCP_TRUSTED_PROXIES is not set, so every request seems to come from the proxy in front:"
    " nobody is limited by address. Name its networks, or set it to none if there is no proxy"
)

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_rate_limits(
    settings: Settings, registry: CollectorRegistry
) -> AsyncIterator[RateLimits]:
    """The limits of the public port, over Redis if there is one; it connects when it is used."""
    addresses = CountedAddresses.behind(
        settings.mcp_trusted_proxies, is_development=settings.development
    )
    failures = Budget("failures", parse_limits(settings.mcp_limit_failures))
    if failures.limits and not addresses.are_known:
        _log.warning("rate_limits.addresses_unknown", hint=_UNKNOWN)
    limiter = RateLimiter(
        registry,
        redis_url=settings.mcp_redis_url.get_secret_value(),
        namespace=settings.mcp_resource,
    )
    tool_calls = Budget("tool_calls", parse_limits(settings.mcp_limit_tool_calls))
    try:
        yield RateLimits(limiter, tool_calls, failures, addresses)
    finally:
        await limiter.close()
