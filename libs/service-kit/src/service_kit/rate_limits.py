"""Rate limits: who may do how much in which time, counted by the library `limits`.

The strategy is its sliding window counter. A fixed window lets twice the amount through where two
windows meet; a moving window keeps a time stamp for every request. This one keeps two numbers a
key, whatever the amount, and a refused request costs nobody anything: whoever is refused and goes
on asking is let in again as early as whoever waits.

Counted in this process, or in Redis for all replicas together. Redis decides nothing else: without
it everything passes, a metric tells, and it is asked again a second later.
"""

import asyncio
import hashlib
import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from limits import RateLimitItem, parse_many
from prometheus_client import CollectorRegistry, Counter
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service_kit.rate_limit_counters import BoundedMemory, FullWindow, RedisCounters, Window

# Redis answers within this, or is away; then nobody asks it for a while.
TIMEOUT_SECONDS: Final = 0.1
PAUSE_SECONDS: Final = 1.0
# Questions to Redis under way. The others wait their turn outside the time-out: a flood of
# requests, which makes each of them slow, must not look like an outage, and lift the limits.
MAX_ASKING: Final = 8
# Who waits longer for a turn goes unlimited: a Redis that is slow, and not away, must not become a
# queue without end. A flood alone takes a fraction of this.
TURN_SECONDS: Final = 2.0
# Two a key and window. What a flood of keys pushes out was counted for nothing, and nobody is
# refused for it.
MAX_COUNTERS: Final = 50_000
MAX_LIMITS: Final = 4

_DAY_SECONDS: Final = 86_400
# A strict part of the library's notation, which also takes "1 per fortnight:" and no amount at all.
_LIMIT: Final = re.compile(
    r"[1-9][0-9]{0,6}/(?:[1-9][0-9]{0,3} ?)?(?:second|minute|hour|day)s?", re.ASCII
)
_FAILURES: Final = (OSError, TimeoutError, RedisError)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Budget:
    """What one key may spend: every one of the limits holds; with none there is no bound.

    One that is not shared is each process's own, and never asks Redis.
    """

    name: str
    limits: tuple[RateLimitItem, ...]
    is_shared: bool = True

    def times(self, share: int) -> "Budget":
        """The same budget, with so many times the room."""
        return self if share == 1 else _enlarged(self, share)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one key is to spend of a budget: the cost, in what the budget's amounts count."""

    budget: Budget
    key: tuple[str, ...]
    cost: int = 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """The budget that had no room, and the seconds after which it has."""

    budget: Budget
    seconds: int


@lru_cache(maxsize=256)
def _enlarged(budget: Budget, share: int) -> Budget:
    limits = (type(one)(one.amount * share, one.multiples, one.namespace) for one in budget.limits)
    return replace(budget, limits=tuple(limits))


def parse_limits(notation: str) -> tuple[RateLimitItem, ...]:
    """Read `20/second;600/minute`, shortest window first; nothing is no limit.

    Raises ValueError.
    """
    if not notation.strip():
        return ()
    parts = [part.strip() for part in notation.split(";")]
    if len(parts) > MAX_LIMITS or not all(_LIMIT.fullmatch(part) for part in parts):
        raise ValueError(
            "must be like 600/minute, 100/15 minutes or 20/second;600/minute; empty for no limit"
        )
    limits = parse_many(";".join(parts))
    if any(limit.get_expiry() > _DAY_SECONDS for limit in limits):
        raise ValueError("must not span more than a day")
    # A hit that a short window refuses is not charged to a longer one.
    return tuple(sorted(limits, key=lambda limit: limit.get_expiry()))


def check_redis_url(url: str) -> str:
    """Return the URL of a Redis, or of none, unchanged; raise ValueError without quoting it."""
    if not url:
        return url
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"redis", "rediss"} and parts.hostname and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError("must be redis://host:port or rediss://user:password@host:port")
    try:
        pool: Any = ConnectionPool.from_url(url)
        # Connects to nothing. A wrong option would otherwise fail every request that is counted.
        pool.make_connection()
    except (TypeError, ValueError, RedisError):
        raise ValueError("has an option after ? that redis-py does not take") from None
    return url


class RateLimiter:
    """Counts hits against budgets. Two replicas share a budget only through Redis."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        redis_url: str = "",
        namespace: str,
        monotonic: Callable[[], float] = time.monotonic,
        max_counters: int = MAX_COUNTERS,
    ) -> None:
        """Connect on first use. `namespace` keeps deployments apart that share a Redis."""
        self._limited = Counter(
            "rate_limited_total",
            "Requests refused because a budget was spent.",
            ["budget"],
            registry=registry,
        )
        self._redis = _Redis(redis_url, namespace, registry, monotonic) if redis_url else None
        self._counters = BoundedMemory(max_counters)

    async def hit(self, budget: Budget, *key: str, cost: int = 1) -> int | None:
        """Count one; None if it fitted, else the seconds to wait: nothing was counted then."""
        refusal = await self.hit_in_turn(Charge(budget, key, cost))
        return None if refusal is None else refusal.seconds

    async def hit_in_turn(self, *charges: Charge) -> Refusal | None:
        """Count each charge as long as all fit: one round trip to Redis, however many they are.

        The first that does not fit is not counted; what stands before it is, and stays so.
        """
        return await self._decide(charges, keep=True)

    async def peek(self, budget: Budget, *key: str, cost: int = 1) -> int | None:
        """What hit would answer, without counting."""
        refusal = await self.peek_in_turn(Charge(budget, key, cost))
        return None if refusal is None else refusal.seconds

    async def peek_in_turn(self, *charges: Charge) -> Refusal | None:
        """What hit_in_turn would answer, without counting."""
        return await self._decide(charges, keep=False)

    def note_refusal(self, budget: Budget) -> None:
        """Count a refusal that the caller knew of without asking."""
        self._limited.labels(budget.name).inc()

    async def close(self) -> None:
        """Disconnect. To be called last."""
        if self._redis is not None:
            await self._redis.close()

    async def _decide(self, charges: Sequence[Charge], *, keep: bool) -> Refusal | None:
        windows = [
            Window(limit, _digest(charge.budget.name, *charge.key), charge.cost, number)
            for number, charge in enumerate(charges)
            for limit in charge.budget.limits
        ]
        if not windows:
            return None
        is_shared = all(charge.budget.is_shared for charge in charges)
        store = self._redis if self._redis is not None and is_shared else self._counters
        full = await store.hit_windows(windows, keep=keep)
        if full is None:
            return None
        window = windows[full.position]
        budget = charges[window.charge].budget
        self.note_refusal(budget)
        return Refusal(budget, _seconds_to_wait(window, full))


def _seconds_to_wait(window: Window, full: FullWindow) -> int:
    seconds = window.limit.get_expiry()
    # What is counted must fall below this for the cost to fit.
    bound = window.limit.amount - window.cost + 1
    room = bound - full.current
    if room > 0:
        # What the previous window still counts for must fall below the room there is.
        wait = full.previous_left - room * seconds / max(full.previous, 1)
    else:
        # This window must end first; then it is the previous one. It has a window left by then.
        wait = full.current_left - bound * seconds / max(full.current, 1)
    # Room comes after these seconds, not with them; a millisecond is for what is rounded.
    return max(1, math.floor(min(wait, 2 * seconds) + 0.001) + 1)


def _digest(*parts: str) -> str:
    # With lengths, so that no two lists are one text. A digest is short, and shows nobody at a
    # glance whose it is.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class _Redis:
    """Redis as far as it answers in time; whoever asks in between goes unlimited."""

    def __init__(
        self,
        url: str,
        namespace: str,
        registry: CollectorRegistry,
        monotonic: Callable[[], float],
    ) -> None:
        self._pool = ConnectionPool.from_url(
            url,
            max_connections=MAX_ASKING,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            client_name="mcp-pingone-limits",
        )
        self._counters = RedisCounters(self._pool, f"mcp-pingone:limits:{namespace}")
        self._unlimited = Counter(
            "rate_limiter_unavailable_total",
            "Requests that passed unlimited because Redis did not answer in time.",
            registry=registry,
        )
        self._monotonic = monotonic
        self._asking = asyncio.Semaphore(MAX_ASKING)
        self._is_away = False
        self._paused_until = 0.0

    async def hit_windows(self, windows: Sequence[Window], *, keep: bool) -> FullWindow | None:
        """As RedisCounters; None also while Redis is away, or has too many questions to answer."""
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._asking.acquire()
        except TimeoutError:
            self._unlimited.inc()
            return None
        try:
            return await self._ask_in_turn(windows, keep=keep)
        finally:
            self._asking.release()

    async def _ask_in_turn(self, windows: Sequence[Window], *, keep: bool) -> FullWindow | None:
        is_probe = self._is_away
        if is_probe:
            now = self._monotonic()
            if now < self._paused_until:
                self._unlimited.inc()
                return None
            # One finds out whether it is back; the others do not wait for that.
            self._paused_until = now + PAUSE_SECONDS
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                full = await self._counters.hit_windows(windows, keep=keep)
        except _FAILURES as error:
            self._lost(error)
            return None
        if is_probe:
            self._is_away = False
            _log.info("rate_limits.redis_back")
        return full

    async def close(self) -> None:
        """Disconnect."""
        await self._pool.aclose()

    def _lost(self, error: Exception) -> None:
        self._unlimited.inc()
        self._paused_until = self._monotonic() + PAUSE_SECONDS
        if not self._is_away:
            self._is_away = True
            # Its text may hold the URL's password.
            _log.warning("rate_limits.redis_lost", reason=type(error).__name__)
