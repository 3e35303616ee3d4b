"""Fans revocations out to the subscribers of this process.

A heartbeat passes on that the authoritative source has just confirmed that nothing was missed.
A subscriber that cannot be told everything is ended instead: it comes back, and forgets what it
remembered.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from typing import Final

import structlog

from auth_server.domain.resources import is_same_resource
from auth_server.domain.revocations import Revocation
from auth_server.storage.revocation_feed.listening import FeedMetrics, Listening, Source
from auth_server.storage.revocation_feed.redis import RedisChannel

MAX_SUBSCRIBERS: Final = 256
# How much a reader may lag behind; a stream that overflows ends. A sweep ends hundreds at once.
MAX_WAITING: Final = 2048
# How long a subscriber waits for the source to be heard.
CONNECT_SECONDS: Final = 2.0
# After the last subscriber, who may only be reconnecting.
LINGER_SECONDS: Final = 5.0
# So many recent publications are recognised when a source tells them again.
MAX_RECENT: Final = 4096

_log = structlog.get_logger(__name__)


class FeedUnavailable(Exception):
    """There is no stream to be had now. The text says why, for the log."""


class Subscription:
    """One reader's stream: the ids of ended grants, and None for a heartbeat."""

    def __init__(self, feed: "RevocationFeed", resource: str) -> None:
        self._feed = feed
        self._resource = resource
        self._waiting: deque[str | None] = deque()
        self._changed = asyncio.Event()
        self._is_ended = False

    async def __aiter__(self) -> AsyncIterator[str | None]:
        """Yield what comes, until the stream is ended."""
        while not self._is_ended:
            if self._waiting:
                yield self._waiting.popleft()
            else:
                self._changed.clear()
                await self._changed.wait()

    def tell(self, revocation: Revocation) -> bool:
        """Queue a revocation of this reader's resource; False if there is no room."""
        if not is_same_resource(revocation.resource, self._resource):
            return True
        if len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.append(revocation.grant_id)
        self._changed.set()
        return True

    def beat(self) -> None:
        """Queue a heartbeat, unless something else is about to be sent."""
        if not self._waiting:
            self._waiting.append(None)
            self._changed.set()

    def end(self) -> None:
        """End the stream without what still waits: a reader that comes back needs none of it."""
        self._is_ended = True
        self._changed.set()

    def close(self) -> None:
        """The reader has gone; may be said twice."""
        self.end()
        self._feed.forget(self)


class RevocationFeed:
    """The feed of one process: it listens only while somebody subscribes, and publishes always."""

    def __init__(
        self, source: Source, metrics: FeedMetrics, *, redis: RedisChannel | None = None
    ) -> None:
        self._metrics = metrics
        self._redis = redis
        self._subscriptions: set[Subscription] = set()
        self._waiting_to_subscribe = 0
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._is_confirmed = False
        # Set once the source is heard or is known to be out of reach.
        self._is_known = asyncio.Event()
        self._is_draining = False
        self._linger: asyncio.TimerHandle | None = None
        self._authority = Listening(
            source,
            metrics,
            hear=self.deliver,
            on_confirmed=self._on_confirmed,
            on_lost=self._on_lost,
        )
        self._listening = [self._authority]
        if redis is not None:
            # Its loss and its return mean nothing: it is never the one to rely on.
            self._listening.append(
                Listening(
                    redis,
                    metrics,
                    hear=self.deliver,
                    on_confirmed=_nothing,
                    on_lost=_nothing,
                )
            )

    async def subscribe(self, resource: str) -> Subscription:
        """Open a stream of one resource's revocations, of which none is missed from now on.

        To be closed by its reader. Raises FeedUnavailable.
        """
        self._refuse_if_full_or_draining()
        self._waiting_to_subscribe += 1
        try:
            self._listen()
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._is_known.wait()
        except TimeoutError:
            raise FeedUnavailable("the source of revocations does not answer") from None
        finally:
            self._waiting_to_subscribe -= 1
            self._linger_if_unwanted()
        if not self._is_confirmed:
            raise FeedUnavailable("the source of revocations cannot be reached")
        self._refuse_if_full_or_draining()
        subscription = Subscription(self, resource)
        self._subscriptions.add(subscription)
        self._metrics.subscribers.set(len(self._subscriptions))
        return subscription

    def publish(self, revocation: Revocation) -> None:
        """Tell everybody what has been committed. Never waits, never fails."""
        if revocation.grant_id not in self._recent:
            self._recent[revocation.grant_id] = None
            if len(self._recent) > MAX_RECENT:
                self._recent.popitem(last=False)
            self._tell(revocation)
        if self._redis is not None:
            self._redis.publish(revocation)

    def deliver(self, revocation: Revocation) -> None:
        """Tell the subscribers of this process what a source says, unless it was published here.

        It is not remembered: who can write to a source may say it before it has happened, and must
        not hide it when it does.
        """
        if revocation.grant_id not in self._recent:
            self._tell(revocation)

    def forget(self, subscription: Subscription) -> None:
        """Called by a subscription that is closed."""
        self._subscriptions.discard(subscription)
        self._metrics.subscribers.set(len(self._subscriptions))
        self._linger_if_unwanted()

    def drain(self) -> None:
        """End every stream and open no other: this process is about to stop."""
        self._is_draining = True
        self._end_all()

    async def close(self) -> None:
        """Disconnect from every source. To be called last."""
        self.drain()
        if self._linger is not None:
            self._linger.cancel()
        for listening in self._listening:
            await listening.close()
        if self._redis is not None:
            await self._redis.close()

    def _tell(self, revocation: Revocation) -> None:
        for subscription in tuple(self._subscriptions):
            if not subscription.tell(revocation):
                self._metrics.overflows.inc()
                _log.warning("revocations.reader_too_slow")
                subscription.close()

    def _refuse_if_full_or_draining(self) -> None:
        if self._is_draining:
            raise FeedUnavailable("this process is stopping")
        if len(self._subscriptions) + self._waiting_to_subscribe >= MAX_SUBSCRIBERS:
            raise FeedUnavailable("there are too many streams already")

    def _on_confirmed(self) -> None:
        if not self._is_confirmed:
            # Something may have been missed: those who were there before must forget and return.
            self._end_all()
            self._is_confirmed = True
            self._is_known.set()
        for subscription in self._subscriptions:
            subscription.beat()

    def _on_lost(self) -> None:
        self._is_confirmed = False
        self._is_known.set()

    def _end_all(self) -> None:
        for subscription in tuple(self._subscriptions):
            subscription.close()

    def _listen(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        for listening in self._listening:
            listening.start()

    def _linger_if_unwanted(self) -> None:
        if self._subscriptions or self._waiting_to_subscribe or self._linger or self._is_draining:
            return
        loop = asyncio.get_running_loop()
        self._linger = loop.call_later(LINGER_SECONDS, self._stop_if_unwanted)

    def _stop_if_unwanted(self) -> None:
        self._linger = None
        if not self._subscriptions and not self._waiting_to_subscribe:
            for listening in self._listening:
                listening.stop()
            self._is_confirmed = False
            self._is_known.clear()


def _nothing() -> None:
    """What the loss of an accelerator changes."""
