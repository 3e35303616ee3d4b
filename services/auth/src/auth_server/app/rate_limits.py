"""Which budgets there are, as the settings have it."""

from collections.abc import Callable
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from auth_server.domain.clients import NOWHERE, SeenFrom
from auth_server.endpoints.rate_limits import Budgets, RateLimits
from auth_server.settings import AuthSettings
from service_kit.client_address import current_client_address
from service_kit.counted_addresses import CountedAddresses
from service_kit.rate_limits import Budget, RateLimiter, parse_limits

_UNKNOWN: Final = (
    "AUTH_TRUSTED_PROXIES is not set, so every request seems to come from the proxy in front:"
    " nobody is limited by address. Name its networks, or set it to none if there is no proxy"
)

_log = structlog.get_logger(__name__)


def create_rate_limiter(settings: AuthSettings, registry: CollectorRegistry) -> RateLimiter:
    """The one limiter of this process: over Redis if there is one. It connects when it is used."""
    return RateLimiter(
        registry,
        redis_url=settings.auth_redis_url.get_secret_value(),
        namespace=settings.auth_public_url,
    )


def public_rate_limits(settings: AuthSettings, limiter: RateLimiter) -> RateLimits:
    """The limits of the public port, where callers are behind proxies."""
    addresses = public_addresses(settings)
    if settings.auth_rate_limits and not addresses.are_known:
        _log.warning("rate_limits.addresses_unknown", hint=_UNKNOWN)
    return RateLimits(limiter, _budgets(settings), addresses)


def public_addresses(settings: AuthSettings) -> CountedAddresses:
    """The networks of callers of the public port."""
    return CountedAddresses.behind(
        settings.auth_trusted_proxies, is_development=settings.is_development
    )


def seen_from(settings: AuthSettings) -> Callable[[], SeenFrom]:
    """Where the request at hand came from, as far as it is counted: the least and most of it."""
    addresses = public_addresses(settings)

    def current() -> SeenFrom:
        networks = addresses.networks(current_client_address())
        return SeenFrom(networks[0].key, networks[-1].key) if networks else NOWHERE

    return current


def internal_rate_limits(settings: AuthSettings, limiter: RateLimiter) -> RateLimits:
    """The limits of the internal port, whose peers are the callers."""
    return RateLimits(limiter, _budgets(settings), CountedAddresses((), are_known=True))


def _budgets(settings: AuthSettings) -> Budgets:
    def budget(name: str, notation: str) -> Budget:
        return Budget(name, parse_limits(notation) if settings.auth_rate_limits else ())

    return Budgets(
        authorize=budget("authorize", settings.auth_limit_authorize),
        pages=budget("pages", settings.auth_limit_pages),
        cross_origin=budget("cross_origin", settings.auth_limit_cross_origin),
        register=budget("register", settings.auth_limit_register),
        token=budget("token", settings.auth_limit_token),
        token_address=budget("token_address", settings.auth_limit_token_address),
        refresh=budget("refresh", settings.auth_limit_refresh),
        client_failures=budget("client_failures", settings.auth_limit_client_failures),
        introspection_failures=budget(
            "introspection_failures", settings.auth_limit_introspection_failures
        ),
    )
