"""Fans revocations out to the subscribers of this process.

A heartbeat passes on that the authoritative source has just confirmed that nothing was missed.
A subscriber that cannot be told everything is ended instead: it comes back, and forgets what it
remembered.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final

import structlog

from auth_server.domain.revocations import Revocation
from auth_server.storage.revocation_feed.listening import FeedMetrics, Listening, Source
from auth_server.storage.revocation_feed.redis import RedisChannel
from auth_server.storage.revocation_feed.streams import (
    FeedUnavailable,
    OpenStreams,
    Subscription,
)

# How long a subscriber waits for the source to be heard.
CONNECT_SECONDS: Final = 2.0
# After the last subscriber, who may only be reconnecting.
LINGER_SECONDS: Final = 5.0
# So many recent publications are recognised when a source tells them again.
MAX_RECENT: Final = 4096

_log = structlog.get_logger(__name__)


class RevocationFeed:
    """The feed of one process: it listens only while somebody subscribes, and publishes always."""

    def __init__(
        self,
        source: Source,
        metrics: FeedMetrics,
        *,
        redis: RedisChannel | None = None,
        resources: int = 1,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`resources` is how many share the streams of this process."""
        self._metrics = metrics
        self._redis = redis
        self._streams = OpenStreams(metrics, resources, monotonic)
        self._waiting_to_subscribe: Counter[str] = Counter()
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

        To be closed by its reader. It may end an older stream of the same resource. Raises
        FeedUnavailable, and ShareSpent if the resource has too many streams that are new.
        """
        self._refuse_if_full_or_draining(resource)
        self._waiting_to_subscribe[resource] += 1
        try:
            self._listen()
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._is_known.wait()
        except TimeoutError:
            raise FeedUnavailable("the source of revocations does not answer") from None
        finally:
            self._waiting_to_subscribe[resource] -= 1
            if not self._waiting_to_subscribe[resource]:
                del self._waiting_to_subscribe[resource]
            self._linger_if_unwanted()
        if not self._is_confirmed:
            raise FeedUnavailable("the source of revocations cannot be reached")
        self._refuse_if_full_or_draining(resource)
        subscription = Subscription(resource, self._forget)
        self._streams.add(subscription)
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
        for subscription in self._streams:
            if not subscription.tell(revocation):
                self._metrics.overflows.inc()
                _log.warning("revocations.reader_too_slow")
                subscription.close()

    def _forget(self, subscription: Subscription) -> None:
        self._streams.discard(subscription)
        self._linger_if_unwanted()

    def _refuse_if_full_or_draining(self, resource: str) -> None:
        if self._is_draining:
            raise FeedUnavailable("this process is stopping")
        if self._waiting_to_subscribe[resource] >= self._streams.share:
            self._streams.refuse(resource, CONNECT_SECONDS)
        self._streams.refuse_if_full(resource)

    def _on_confirmed(self) -> None:
        if not self._is_confirmed:
            # Something may have been missed: those who were there before must forget and return.
            self._end_all()
            self._is_confirmed = True
            self._is_known.set()
        for subscription in self._streams:
            subscription.beat()

    def _on_lost(self) -> None:
        self._is_confirmed = False
        self._is_known.set()

    def _end_all(self) -> None:
        for subscription in self._streams:
            subscription.close()

    def _listen(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        for listening in self._listening:
            listening.start()

    def _linger_if_unwanted(self) -> None:
        if self._streams or self._waiting_to_subscribe or self._linger or self._is_draining:
            return
        loop = asyncio.get_running_loop()
        self._linger = loop.call_later(LINGER_SECONDS, self._stop_if_unwanted)

    def _stop_if_unwanted(self) -> None:
        self._linger = None
        if not self._streams and not self._waiting_to_subscribe:
            for listening in self._listening:
                listening.stop()
            self._is_confirmed = False
            self._is_known.clear()


def _nothing() -> None:
    """What the loss of an accelerator changes."""
