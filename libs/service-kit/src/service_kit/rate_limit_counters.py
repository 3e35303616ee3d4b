"""The counters behind rate limits, in memory and in Redis, under the algorithm of `limits`.

Both hit several windows in one step, and Redis in one round trip: the library would ask it once a
window, and once more to learn how long a refusal lasts.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.storage.redis.bridge import RedisBridge
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import ConnectionPool, Redis


@dataclass(frozen=True, slots=True)
class Window:
    """One limit to be hit. Of one charge all windows take its cost, or none does."""

    limit: RateLimitItem
    key: str
    cost: int
    charge: int


@dataclass(frozen=True, slots=True)
class FullWindow:
    """Which of the windows had no room, and what it held: hits, and seconds until they are gone."""

    position: int
    previous: int
    previous_left: float
    current: int
    current_left: float


class BoundedMemory(MemoryStorage):
    """The library's algorithm over counters of our own.

    The library's memory grows with every key, and looks through all of it at every hit. These are
    a fixed number, of which the oldest goes. They need no clock: a counter's key holds the time of
    its window, so one that is over is never asked for again.
    """

    def __init__(self, max_counters: int) -> None:
        super().__init__()
        self._counters: OrderedDict[str, int] = OrderedDict()
        self._max_counters = max_counters
        self._strategy = SlidingWindowCounterRateLimiter(self)

    async def hit_windows(
        self, windows: Sequence[Window], *, keep: bool = True
    ) -> FullWindow | None:
        """Hit the windows, charge by charge, as far as they have room; without keep only look.

        Nothing in here waits, so nobody else comes in between.
        """
        position = 0
        for _, group in groupby(windows, key=lambda window: window.charge):
            of_charge = list(group)
            for window in of_charge:
                if not await self._strategy.test(window.limit, window.key, cost=window.cost):
                    held = await self.get_sliding_window(
                        window.limit.key_for(window.key), window.limit.get_expiry()
                    )
                    return FullWindow(position + of_charge.index(window), *held)
            for window in of_charge if keep else ():
                await self._strategy.hit(window.limit, window.key, cost=window.cost)
            position += len(of_charge)
        return None

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:  # noqa: ARG002
        """Add to a counter, which is made if need be."""
        value = self._counters.get(key, 0) + amount
        self._counters[key] = value
        if len(self._counters) > self._max_counters:
            self._counters.popitem(last=False)
        return value

    async def decr(self, key: str, amount: int = 1) -> int:
        """Take back what was added a moment ago."""
        value = max(self._counters.get(key, 0) - amount, 0)
        self._counters[key] = value
        return value

    async def get(self, key: str) -> int:
        """The counter's value; 0 if there is none."""
        return self._counters.get(key, 0)


# The library's two scripts as functions of one: it decides about each window, and this in which
# order, and takes back from a charge's other windows what the last of them had no room for.
_HIT_WINDOWS: Final = f"""
local function acquire(KEYS, ARGV)
{RedisBridge.SCRIPT_ACQUIRE_SLIDING_WINDOW.decode()}
end
local function look(KEYS, ARGV)
{RedisBridge.SCRIPT_SLIDING_WINDOW.decode()}
end
local function take_back(last, charge)
    for i = last, 1, -1 do
        if charge == nil or ARGV[4 * i] == charge then
            redis.call('incrby', KEYS[2 * i], -ARGV[4 * i - 1])
        end
    end
end
local number = #KEYS / 2
for i = 1, number do
    local keys = {{KEYS[2 * i - 1], KEYS[2 * i]}}
    local amount, seconds, cost, charge = unpack(ARGV, 4 * i - 3, 4 * i)
    if not acquire(keys, {{amount, seconds, cost}}) then
        take_back(i - 1, charge)
        local held = look(keys, {{seconds}})
        return {{i, held[1], held[2], held[3], held[4]}}
    end
end
if ARGV[4 * number + 1] == 'look' then
    take_back(number)
end
return {{0}}
"""


class RedisCounters:
    """Hits windows in Redis."""

    def __init__(self, pool: ConnectionPool, prefix: str) -> None:
        self._prefix = prefix
        self._hit_windows = Redis(connection_pool=pool).register_script(_HIT_WINDOWS)

    async def hit_windows(
        self, windows: Sequence[Window], *, keep: bool = True
    ) -> FullWindow | None:
        """Hit the windows, charge by charge, as far as they have room; without keep only look.

        One round trip, and one step of Redis.
        """
        keys: list[str] = []
        arguments: list[Any] = []
        for window in windows:
            # As the library names them. The braces keep both on one node of a cluster.
            current = f"{self._prefix}:{{{window.limit.key_for(window.key)}}}"
            keys += [f"{current}/-1", current]
            limit = window.limit
            arguments += [limit.amount, limit.get_expiry(), window.cost, window.charge]
        arguments.append("hit" if keep else "look")
        position, *held = await self._hit_windows(keys=keys, args=arguments)
        if not position:
            return None
        previous, previous_left, current_hits, current_left = (max(0, int(x or 0)) for x in held)
        return FullWindow(
            position - 1, previous, previous_left / 1000, current_hits, current_left / 1000
        )
