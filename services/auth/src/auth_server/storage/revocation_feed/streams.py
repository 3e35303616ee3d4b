"""The streams that are open in this process: each resource has a share of them.

What one resource server opens takes no place of another's. Of its own, a new stream takes the
place of the oldest: a follower that lost its connection comes back although what it lost still
seems to be open. A stream is left alone for a moment after it began, so that followers who are too
many do not end each other without a pause.
"""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

import structlog

from auth_server.domain.resources import is_same_resource
from auth_server.domain.revocations import Revocation
from auth_server.storage.revocation_feed.listening import FeedMetrics

# For all resources together, as long as that leaves each of them the least.
MAX_STREAMS: Final = 256
MIN_SHARE: Final = 16
# How much a reader may lag behind; a stream that overflows ends. A sweep ends hundreds at once.
MAX_WAITING: Final = 2048
# For so long a stream keeps its place. A follower tries again within two seconds, so that those it
# has left behind are older than this before they are many.
SETTLED_SECONDS: Final = 3.0

_log = structlog.get_logger(__name__)


class FeedUnavailable(Exception):
    """There is no stream to be had now. The text says why, for the log."""


class ShareSpent(FeedUnavailable):
    """The resource has as many streams as it may, and each of them began a moment ago."""

    def __init__(self, resource: str, share: int, seconds: int) -> None:
        super().__init__(f"there are too many streams of {resource} already: {share} are its share")
        self.seconds = seconds


class Subscription:
    """One reader's stream: the ids of ended grants, and None for a heartbeat."""

    def __init__(self, resource: str, forget: Callable[["Subscription"], None]) -> None:
        self.resource = resource
        self._forget = forget
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
        if not is_same_resource(revocation.resource, self.resource):
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
        self._forget(self)


class OpenStreams:
    """All streams by resource, each resource's from the oldest to the newest."""

    def __init__(
        self, metrics: FeedMetrics, resources: int, monotonic: Callable[[], float]
    ) -> None:
        """`resources` is how many share the places."""
        self._metrics = metrics
        self._monotonic = monotonic
        self.share = max(MIN_SHARE, MAX_STREAMS // max(resources, 1))
        self._by_resource: dict[str, OrderedDict[Subscription, float]] = {}

    def __iter__(self) -> Iterator[Subscription]:
        """Every stream, as they are now: they may be closed meanwhile."""
        return iter([one for streams in self._by_resource.values() for one in streams])

    def __len__(self) -> int:
        return sum(map(len, self._by_resource.values()))

    def refuse_if_full(self, resource: str) -> None:
        """Raise ShareSpent if there is no place for another, not even an old stream's."""
        streams = self._by_resource.get(resource)
        if streams is None or len(streams) < self.share:
            return
        began_at = next(iter(streams.values()))
        seconds = began_at + SETTLED_SECONDS - self._monotonic()
        if seconds > 0:
            self.refuse(resource, seconds)

    def refuse(self, resource: str, seconds: float) -> None:
        """Raise ShareSpent, and count it."""
        self._metrics.refused.labels(resource).inc()
        raise ShareSpent(resource, self.share, math.ceil(seconds))

    def add(self, subscription: Subscription) -> None:
        """Give it a place, the oldest one's of its resource if need be; raise ShareSpent."""
        resource = subscription.resource
        self.refuse_if_full(resource)
        streams = self._by_resource.setdefault(resource, OrderedDict())
        if len(streams) >= self.share:
            self._metrics.replaced.labels(resource).inc()
            _log.warning("revocations.stream_replaced", resource=resource, share=self.share)
            next(iter(streams)).close()
        # Anew: with the last stream its resource has gone.
        streams = self._by_resource.setdefault(resource, OrderedDict())
        streams[subscription] = self._monotonic()
        self._metrics.subscribers.set(len(self))

    def discard(self, subscription: Subscription) -> None:
        """It has ended."""
        streams = self._by_resource.get(subscription.resource)
        if streams is not None:
            streams.pop(subscription, None)
            if not streams:
                del self._by_resource[subscription.resource]
        self._metrics.subscribers.set(len(self))
