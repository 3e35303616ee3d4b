"""Tells every resource server within a second which grants have ended.

One source is authoritative: PostgreSQL's NOTIFY, or a poll of the embedded database. Redis is a
second, faster path whose loss loses nothing. What any of them tells reaches the subscribers of this
process through one RevocationFeed.
"""

from auth_server.storage.revocation_feed.feed import RevocationFeed
from auth_server.storage.revocation_feed.listening import FeedMetrics
from auth_server.storage.revocation_feed.postgresql import PostgresqlSource
from auth_server.storage.revocation_feed.redis import RedisChannel
from auth_server.storage.revocation_feed.sqlite import SqliteSource
from auth_server.storage.revocation_feed.streams import (
    FeedUnavailable,
    ShareSpent,
    Subscription,
)

__all__ = [
    "FeedMetrics",
    "FeedUnavailable",
    "PostgresqlSource",
    "RedisChannel",
    "RevocationFeed",
    "ShareSpent",
    "SqliteSource",
    "Subscription",
]
