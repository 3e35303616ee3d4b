"""A feed of revocations over a source that says what the test tells it to, on the test's clock."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

from prometheus_client import CollectorRegistry
from revocation_streams import WAIT_SECONDS

from auth_server.domain.revocations import Revocation
from auth_server.storage.revocation_feed import FeedMetrics, RedisChannel, RevocationFeed
from auth_server.storage.revocation_feed.listening import Confirm, Hear, SourceLost

RESOURCE = "https://mcp.example.com/mcp"
NEIGHBOUR = "https://neighbour.example.com/mcp"


class Source:
    """Confirms, tells and is lost when the test says so."""

    name = "scripted"

    def __init__(self) -> None:
        self.listening = 0
        self.is_reachable = True
        self.is_silent = False
        self.defect: Exception | None = None
        self._lost = asyncio.Event()

    async def listen(self, hear: Hear, confirm: Confirm) -> None:
        if not self.is_reachable:
            raise SourceLost("out of reach")
        self.hear, self.confirm = hear, confirm
        self.listening += 1
        try:
            if not self.is_silent:
                confirm()
            await self._lost.wait()
        finally:
            self.listening -= 1
        self._lost.clear()
        raise self.defect or SourceLost("as the test wants it")

    def lose(self) -> None:
        self._lost.set()


class Channel(Source, RedisChannel):
    """Stands for Redis, which whoever reaches it may write to."""

    name = "redis"

    def publish(self, revocation: Revocation) -> None:
        pass

    async def close(self) -> None:
        pass


class Feed(RevocationFeed):
    """A feed with its source, its clock and its numbers at hand."""

    def __init__(self, accelerator: Channel | None = None, *, resources: int = 1) -> None:
        self.source = Source()
        self.registry = CollectorRegistry()
        self.now = 1000.0
        super().__init__(
            self.source,
            FeedMetrics(self.registry),
            redis=accelerator,
            resources=resources,
            monotonic=lambda: self.now,
        )

    def number(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(name, labels)
        assert value is not None
        return value


async def next_of(items: AsyncIterator[str | None]) -> str | None:
    async with asyncio.timeout(WAIT_SECONDS):
        return await anext(items)


async def rest_of(items: AsyncIterable[str | None]) -> list[str | None]:
    """What comes until the stream ends."""
    async with asyncio.timeout(WAIT_SECONDS):
        return [item async for item in items]


def revocation(number: int, resource: str = RESOURCE) -> Revocation:
    return Revocation(f"grant-{number}", resource)
