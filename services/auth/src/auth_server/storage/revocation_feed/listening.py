"""Keeps this process connected to one source of revocations, for as long as it is wanted."""

import asyncio
import random
from collections.abc import Callable
from contextvars import Context
from typing import Final, Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from auth_server.domain.revocations import Revocation

FIRST_DELAY_SECONDS: Final = 0.05
MAX_DELAY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)

Hear = Callable[[Revocation], None]
Confirm = Callable[[], None]


class SourceLost(Exception):
    """A source of revocations cannot be heard; whatever it tells meanwhile is missed."""


class Source(Protocol):
    """Something that tells which grants have ended."""

    @property
    def name(self) -> str:
        """The source's name in logs and metrics."""

    async def listen(self, hear: Hear, confirm: Confirm) -> None:
        """Pass on what is revoked from now on; raise SourceLost at the end, never return.

        confirm() says: until this moment nothing was missed since the first confirm().
        """


class FeedMetrics:
    """What Prometheus learns of the feed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connected = Gauge(
            "auth_revocation_source_connected",
            "1 while this source of revocations is heard; it is only while somebody subscribes.",
            ["source"],
            registry=registry,
        )
        self.heard = Counter(
            "auth_revocations_heard_total",
            "Revocations by the source that told them; one revocation may come from several.",
            ["source"],
            registry=registry,
        )
        self.unpublished = Counter(
            "auth_revocations_unpublished_total",
            "Revocations that were not published to Redis; the database announces them anyway.",
            registry=registry,
        )
        self.subscribers = Gauge(
            "auth_revocation_subscribers", "Open streams of revocations.", registry=registry
        )
        self.refused = Counter(
            "auth_revocation_streams_refused_total",
            "Streams that were not opened because their resource had its share of new ones.",
            ["resource"],
            registry=registry,
        )
        self.replaced = Counter(
            "auth_revocation_streams_replaced_total",
            "Streams ended to make room for a newer one of their resource.",
            ["resource"],
            registry=registry,
        )
        self.overflows = Counter(
            "auth_revocation_overflows_total",
            "Streams ended because their reader was too slow.",
            registry=registry,
        )


class Listening:
    """One source, reconnected with jittered back-off whenever it is lost."""

    def __init__(
        self,
        source: Source,
        metrics: FeedMetrics,
        *,
        hear: Hear,
        on_confirmed: Confirm,
        on_lost: Callable[[], None],
    ) -> None:
        self._source = source
        self._connected = metrics.connected.labels(source.name)
        self._heard = metrics.heard.labels(source.name)
        self._pass_on = hear
        self._on_confirmed = on_confirmed
        self._on_lost = on_lost
        self._task: asyncio.Task[None] | None = None
        self._stopping: set[asyncio.Task[None]] = set()
        self._is_connected = False
        self._delay = FIRST_DELAY_SECONDS

    def start(self) -> None:
        """Listen in the background, unless it is under way."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(
                self._run(),
                name=f"revocations-{self._source.name}",
                # Its log lines do not belong to the request that happens to be the first.
                context=Context(),
            )
            self._task.add_done_callback(self._finished)

    def stop(self) -> None:
        """Listen no longer; the connection is closed in the background."""
        task, self._task = self._task, None
        if task is not None and not task.done():
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)
            task.cancel()
        self._disconnected()

    async def close(self) -> None:
        """Listen no longer, and await that the connection is closed."""
        self.stop()
        if self._stopping:
            await asyncio.wait(self._stopping)

    async def _run(self) -> None:
        while True:
            try:
                await self._source.listen(self._hear, self._confirm)
            except SourceLost as error:
                self._lost(str(error))
            # Spread out, so that the replicas do not all come back in the same moment.
            await asyncio.sleep(self._delay * random.uniform(0.5, 1.0))  # noqa: S311
            self._delay = min(2 * self._delay, MAX_DELAY_SECONDS)

    def _hear(self, revocation: Revocation) -> None:
        self._heard.inc()
        self._pass_on(revocation)

    def _confirm(self) -> None:
        if not self._is_connected:
            self._is_connected = True
            self._delay = FIRST_DELAY_SECONDS
            self._connected.set(1)
            _log.info("revocations.source_connected", source=self._source.name)
        self._on_confirmed()

    def _lost(self, reason: str) -> None:
        # Once an outage, not once an attempt.
        if self._is_connected or self._delay == FIRST_DELAY_SECONDS:
            _log.warning("revocations.source_lost", source=self._source.name, reason=reason)
        self._disconnected()
        self._on_lost()

    def _disconnected(self) -> None:
        self._is_connected = False
        self._connected.set(0)

    def _finished(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # A defect, here or in a driver: to be told loudly, and no reason to listen no more.
            _log.error("revocations.failed", source=self._source.name, exc_info=error)
            self._disconnected()
            self._on_lost()
            loop = asyncio.get_running_loop()
            loop.call_later(MAX_DELAY_SECONDS, self._start_again, task)

    def _start_again(self, failed: asyncio.Task[None]) -> None:
        if self._task is failed:
            self.start()
