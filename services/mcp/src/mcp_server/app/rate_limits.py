"""Which budgets there are, as the settings have it."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from mcp_server.bearer import Budgets, RateLimits
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
    settings: Settings,
    registry: CollectorRegistry,
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[RateLimits]:
    """The limits of the public port, over Redis if there is one; it connects when it is used."""
    addresses = CountedAddresses.behind(
        settings.mcp_trusted_proxies, is_development=settings.development
    )
    budgets = Budgets(
        messages=Budget("messages", parse_limits(settings.mcp_limit_messages)),
        tool_calls=Budget("tool_calls", parse_limits(settings.mcp_limit_tool_calls)),
        failures=_unshared("failures", settings.mcp_limit_failures),
        cross_origin=_unshared("cross_origin", settings.mcp_limit_cross_origin),
    )
    if (budgets.failures.limits or budgets.cross_origin.limits) and not addresses.are_known:
        _log.warning("rate_limits.addresses_unknown", hint=_UNKNOWN)
    limiter = RateLimiter(
        registry,
        redis_url=settings.mcp_redis_url.get_secret_value(),
        namespace=settings.mcp_resource,
    )
    try:
        yield RateLimits(limiter, budgets, addresses, monotonic)
    finally:
        await limiter.close()


def _unshared(name: str, notation: str) -> Budget:
    # What comes without a live handle costs no round trip to Redis.
    return Budget(name, parse_limits(notation), is_shared=False)
