"""Chooses where this process hears of revocations."""

from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry

from auth_server.settings import AuthSettings
from auth_server.storage.database import Database
from auth_server.storage.engines import SQLITE, parse_database_url
from auth_server.storage.revocation_feed import (
    FeedMetrics,
    PostgresqlSource,
    RedisChannel,
    RevocationFeed,
    SqliteSource,
)


def create_revocation_feed(
    settings: AuthSettings,
    database: Database,
    registry: CollectorRegistry,
    now: Callable[[], datetime],
) -> RevocationFeed:
    """The feed over the database, and over Redis if there is one. It connects when it is used."""
    metrics = FeedMetrics(registry)
    url = settings.auth_database_url.get_secret_value()
    is_embedded = parse_database_url(url).drivername == SQLITE
    source = SqliteSource(database, now) if is_embedded else PostgresqlSource(url)
    redis_url = settings.auth_redis_url.get_secret_value()
    redis = (
        RedisChannel(redis_url, issuer=settings.auth_public_url, unpublished=metrics.unpublished)
        if redis_url
        else None
    )
    resources = len(settings.protected_resources.all)
    return RevocationFeed(source, metrics, redis=redis, resources=resources)
