"""Redis pub/sub: a second, faster path between replicas. The database announces everything anyway.

Whoever can write to this Redis can make resource servers ask again, and do nothing else with it.
"""

import asyncio
from contextlib import suppress
from contextvars import Context
from typing import Any, Final

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from auth_server.domain.revocations import Revocation
from auth_server.storage.revocation_feed.listening import Confirm, Hear, SourceLost
from auth_server.storage.revocations import decode, encode

CONNECT_TIMEOUT_SECONDS: Final = 0.5
ANSWER_TIMEOUT_SECONDS: Final = 1.0
# After so long without a message Redis is asked whether it is there.
QUIET_SECONDS: Final = 1.0
MAX_UNPUBLISHED: Final = 1000

_FAILURES: Final = (OSError, TimeoutError, RedisError)

_log = structlog.get_logger(__name__)


class RedisChannel:
    """Publishes and hears the revocations of one deployment, which is named by its issuer."""

    name = "redis"

    def __init__(self, url: str, *, issuer: str, unpublished: Counter) -> None:
        """Connect on first use."""
        self._channel = f"mcp-pingone:revocations:{issuer}"
        self._redis = Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
            socket_timeout=ANSWER_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            client_name="mcp-pingone-auth",
        )
        self._unpublished = unpublished
        self._outbox: asyncio.Queue[Revocation] = asyncio.Queue(MAX_UNPUBLISHED)
        self._publisher: asyncio.Task[None] | None = None
        self._is_publishing = True

    def publish(self, revocation: Revocation) -> None:
        """Have it published in the background. What cannot be is dropped and counted."""
        if self._publisher is None or self._publisher.done():
            self._publisher = asyncio.create_task(
                self._publish_all(), name="revocations-publish", context=Context()
            )
        try:
            self._outbox.put_nowait(revocation)
        except asyncio.QueueFull:
            self._unpublished.inc()

    async def listen(self, hear: Hear, confirm: Confirm) -> None:
        """Pass on what is published from now on; raise SourceLost at the end."""
        try:
            async with self._redis.pubsub() as pubsub:
                await pubsub.subscribe(self._channel)
                while True:
                    message = await _next_message(pubsub)
                    confirm()
                    if message["type"] == "message":
                        self._heard(message["data"], hear)
        except _FAILURES as error:
            raise SourceLost(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Disconnect. To be called last."""
        if self._publisher is not None:
            self._publisher.cancel()
            await asyncio.wait([self._publisher])
        with suppress(*_FAILURES):
            await self._redis.aclose()

    def _heard(self, message: bytes, hear: Hear) -> None:
        try:
            hear(decode(message))
        except ValueError as error:
            _log.error("revocations.malformed", source=self.name, reason=str(error))

    async def _publish_all(self) -> None:
        while True:
            revocation = await self._outbox.get()
            try:
                await self._redis.publish(self._channel, encode(revocation))
            except _FAILURES as error:
                self._drop_all(error)
            else:
                self._is_publishing = True

    def _drop_all(self, error: Exception) -> None:
        """By the time Redis is back the database has told it all."""
        dropped = 1
        while not self._outbox.empty():
            self._outbox.get_nowait()
            dropped += 1
        self._unpublished.inc(dropped)
        if self._is_publishing:
            self._is_publishing = False
            reason = f"{type(error).__name__}: {error}"
            _log.warning("revocations.not_published", dropped=dropped, reason=reason)


async def _next_message(pubsub: Any) -> dict[str, Any]:
    message = await pubsub.get_message(timeout=QUIET_SECONDS)
    if message is None:
        await pubsub.ping()
        message = await pubsub.get_message(timeout=ANSWER_TIMEOUT_SECONDS)
    if message is None:
        raise SourceLost("Redis does not answer")
    found: dict[str, Any] = message
    return found
