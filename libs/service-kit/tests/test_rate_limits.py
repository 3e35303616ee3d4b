"""Budgets: what fits, how long to wait, and what a flood of keys costs."""

import time

import pytest
from prometheus_client import CollectorRegistry
from rate_limit_clock import RateLimitClock

from service_kit.rate_limits import (
    Budget,
    Charge,
    RateLimiter,
    Refusal,
    check_redis_url,
    parse_limits,
)


class Limits:
    """A limiter in memory and its metric."""

    def __init__(self, max_counters: int = 1000) -> None:
        self.registry = CollectorRegistry()
        self.limiter = RateLimiter(self.registry, namespace="test", max_counters=max_counters)

    async def hits(self, number: int, budget: Budget, *key: str) -> list[int | None]:
        return [await self.limiter.hit(budget, *key) for _ in range(number)]

    def refused(self, budget: str) -> float | None:
        return self.registry.get_sample_value("rate_limited_total", {"budget": budget})


def budget(notation: str, name: str = "sign-ins") -> Budget:
    return Budget(name, parse_limits(notation))


@pytest.mark.parametrize(
    ("notation", "seconds"),
    [
        ("5/second", [1]),
        ("5/minute", [60]),
        ("100/15 minutes", [900]),
        ("100/15minutes", [900]),
        ("1000/hour", [3600]),
        ("10000/day", [86_400]),
        (" 600/minute ; 20/second ", [1, 60]),
        ("", []),
        ("  ", []),
    ],
)
def test_a_budget_is_written_as_amounts_and_windows(notation: str, seconds: list[int]) -> None:
    assert [limit.get_expiry() for limit in parse_limits(notation)] == seconds


@pytest.mark.parametrize(
    "notation",
    [
        *("0/minute", "-1/minute", "5", "minute", "5/0 minutes", "5/fortnight", "5/month"),
        *("5/2 days", "5/minute,6/hour", "5/minute;", ";", "5/minute:;6/hour", "5 per minute"),
        *("\u0665/minute", "99999999/minute", "1/second;1/minute;1/hour;1/day;2/day"),
    ],
)
def test_anything_else_is_refused_when_it_is_read(notation: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_limits(notation)


async def test_what_fits_passes_and_what_does_not_is_told_how_long_to_wait(
    rate_limit_clock: RateLimitClock,
) -> None:
    limits = Limits()
    assert await limits.hits(3, budget("3/minute"), "somebody") == [None] * 3
    rate_limit_clock.advance(15)
    assert await limits.hits(2, budget("3/minute"), "somebody") == [46, 46]
    assert limits.refused("sign-ins") == 2


@pytest.mark.parametrize("hits_in_the_first_half", [0, 1, 2, 3])
async def test_after_the_time_that_was_told_one_passes_and_a_second_before_none_does(
    rate_limit_clock: RateLimitClock, hits_in_the_first_half: int
) -> None:
    limits = Limits()
    spent = budget("7/minute")
    await limits.hits(hits_in_the_first_half, spent, "somebody")
    rate_limit_clock.advance(70)  # into the next window, whose predecessor counts for less and less
    answers = await limits.hits(8, spent, "somebody")
    wait = answers[-1]
    assert wait is not None
    rate_limit_clock.advance(wait - 1.001)
    assert await limits.limiter.peek(spent, "somebody") is not None
    rate_limit_clock.advance(1.001)
    assert await limits.limiter.hit(spent, "somebody") is None


async def test_where_two_windows_meet_not_twice_the_amount_passes(
    rate_limit_clock: RateLimitClock,
) -> None:
    limits = Limits()
    rate_limit_clock.advance(59)
    before = await limits.hits(100, budget("100/minute"), "somebody")
    rate_limit_clock.advance(2)
    after = await limits.hits(100, budget("100/minute"), "somebody")
    assert before.count(None) == 100
    assert after.count(None) <= 2


async def test_whoever_goes_on_asking_is_let_in_no_later_than_whoever_waits(
    rate_limit_clock: RateLimitClock,
) -> None:
    limits = Limits()
    await limits.hits(1, budget("1/minute"), "somebody")
    for _ in range(59):
        assert await limits.limiter.hit(budget("1/minute"), "somebody") is not None
        rate_limit_clock.advance(1)
    rate_limit_clock.advance(1.1)
    assert await limits.limiter.hit(budget("1/minute"), "somebody") is None


async def test_every_limit_of_a_budget_holds_and_a_refusal_by_one_is_not_charged_to_a_longer_one(
    rate_limit_clock: RateLimitClock,
) -> None:
    limits = Limits()
    spent = budget("2/second;3/hour")
    assert (await limits.hits(5, spent, "somebody"))[2:] == [2, 2, 2]
    rate_limit_clock.advance(2)
    third, fourth = await limits.hits(2, spent, "somebody")
    assert third is None
    assert fourth is not None
    assert fourth > 3000


@pytest.mark.usefixtures("rate_limit_clock")
async def test_keys_and_budgets_do_not_count_for_each_other() -> None:
    limits = Limits()
    assert await limits.hits(1, budget("1/minute"), "a", "bc") == [None]
    assert await limits.hits(1, budget("1/minute"), "ab", "c") == [None]
    assert await limits.hits(1, budget("1/minute", "other"), "a", "bc") == [None]
    assert await limits.hits(1, budget("1/minute"), "a", "bc") == [61]


@pytest.mark.parametrize("first", [0, 1, 4, 9])
@pytest.mark.parametrize("cost", [1, 3, 10])
async def test_a_cost_fits_after_the_time_that_was_told_and_not_a_second_before(
    rate_limit_clock: RateLimitClock, first: int, cost: int
) -> None:
    limiter, spent = Limits().limiter, budget("10/minute")
    if first:
        assert await limiter.hit(spent, "somebody", cost=first) is None
    rate_limit_clock.advance(70)  # into the next window
    assert await limiter.hit(spent, "somebody", cost=10 - first) is None
    wait = await limiter.hit(spent, "somebody", cost=cost)
    while wait is None:
        wait = await limiter.hit(spent, "somebody", cost=cost)
    rate_limit_clock.advance(wait - 1.001)
    assert await limiter.hit(spent, "somebody", cost=cost) is not None
    rate_limit_clock.advance(1.001)
    assert await limiter.hit(spent, "somebody", cost=cost) is None


@pytest.mark.usefixtures("rate_limit_clock")
async def test_charges_are_made_in_turn_and_a_refusal_leaves_those_before_it_made() -> None:
    limits = Limits()
    messages, calls = budget("3/minute", "messages"), budget("1/minute", "calls")
    charges = [Charge(messages, ("somebody",)), Charge(calls, ("somebody",))]
    assert await limits.limiter.hit_in_turn(*charges) is None
    assert await limits.limiter.hit_in_turn(*charges) == Refusal(calls, 61)
    assert await limits.limiter.hit_in_turn(*charges) == Refusal(calls, 61)
    assert await limits.limiter.hit_in_turn(*charges) == Refusal(messages, 61)
    assert (limits.refused("messages"), limits.refused("calls")) == (1, 2)


async def test_a_refusal_by_a_long_window_is_not_charged_to_a_short_one(
    rate_limit_clock: RateLimitClock,
) -> None:
    limits = Limits()
    spent = budget("2/minute;2/hour")
    await limits.hits(2, spent, "somebody")
    rate_limit_clock.advance(120)
    assert (await limits.hits(5, spent, "somebody")).count(None) == 0
    assert await limits.limiter.peek(budget("2/minute"), "somebody") is None
    rate_limit_clock.advance(7200)
    assert await limits.hits(2, spent, "somebody") == [None, None]


@pytest.mark.usefixtures("rate_limit_clock")
async def test_to_peek_is_not_to_spend() -> None:
    limits = Limits()
    for _ in range(5):
        assert await limits.limiter.peek(budget("1/minute"), "somebody") is None
    assert await limits.hits(1, budget("1/minute"), "somebody") == [None]
    assert await limits.limiter.peek(budget("1/minute"), "somebody") == 61


async def test_an_empty_budget_is_no_limit() -> None:
    limits = Limits()
    assert set(await limits.hits(100, budget(""), "somebody")) == {None}


@pytest.mark.usefixtures("rate_limit_clock")
async def test_a_flood_of_keys_stays_bounded_and_locks_nobody_out() -> None:
    limits = Limits(max_counters=100)
    await limits.hits(1, budget("1/hour"), "somebody")
    for number in range(10_000):
        assert await limits.limiter.hit(budget("1/hour"), f"flood-{number}") is None
    counters = limits.limiter._counters._counters
    assert len(counters) <= 100
    assert await limits.limiter.hit(budget("1/hour"), "somebody") is None


async def test_with_a_hundred_thousand_keys_a_hit_is_as_cheap_as_without() -> None:
    limiter = RateLimiter(CollectorRegistry(), namespace="test")
    spent = budget("10/hour")
    for number in range(100_000):
        await limiter.hit(spent, str(number))
    started = time.process_time()
    for number in range(100):
        await limiter.hit(spent, f"late-{number}")
    # A scan of all keys at each hit, as the library's own memory has it, takes over a second here.
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "url", ["", "redis://redis:6379/1", "rediss://user:pass@redis:6379?ssl_cert_reqs=none"]
)
def test_a_redis_is_named_by_url_or_not_at_all(url: str) -> None:
    assert check_redis_url(url) == url


@pytest.mark.parametrize("url", ["redis", "http://redis", "redis://", "redis://:secret@:6379"])
def test_another_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ValueError, match="must be redis://host:port") as refused:
        check_redis_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("option", ["timeout=1", "socket_timeout=secret", "db=secret"])
def test_an_option_that_would_fail_every_request_is_refused_without_quoting_it(option: str) -> None:
    with pytest.raises(ValueError, match="option") as refused:
        check_redis_url(f"redis://user:secret@redis:6379?{option}")
    assert "secret" not in str(refused.value)
