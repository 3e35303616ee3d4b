"""One budget for all replicas, on a real server; and what becomes of it when that is away."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import redis.asyncio
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from valkey_servers import ValkeyProcess

from service_kit import rate_limits
from service_kit.rate_limit_counters import RedisCounters
from service_kit.rate_limits import PAUSE_SECONDS, Budget, Charge, RateLimiter, parse_limits

NAMESPACE = "https://auth.example.com"
BUDGET = Budget("sign-ins", parse_limits("5/minute"))


class Replica:
    """A limiter of its own, over a shared server."""

    def __init__(self, url: str) -> None:
        self.registry = CollectorRegistry()
        self.monotonic = 0.0
        self.limiter = RateLimiter(
            self.registry,
            redis_url=url,
            namespace=NAMESPACE,
            monotonic=lambda: self.monotonic,
        )

    async def hits(self, number: int, *key: str) -> list[int | None]:
        return [await self.limiter.hit(BUDGET, *key) for _ in range(number)]

    @property
    def passed_unlimited(self) -> float | None:
        return self.registry.get_sample_value("rate_limiter_unavailable_total")


@pytest.fixture
async def new_replica() -> AsyncIterator[Callable[..., Replica]]:
    replicas: list[Replica] = []

    def start(url: str) -> Replica:
        replicas.append(Replica(url))
        return replicas[-1]

    yield start
    for replica in replicas:
        await replica.limiter.close()


@pytest.mark.usefixtures("patient_rate_limits")
async def test_replicas_share_a_budget(
    valkey_url: str, new_replica: Callable[..., Replica]
) -> None:
    one, other = new_replica(valkey_url), new_replica(valkey_url)
    assert await one.hits(3, "shared") == [None] * 3
    answers = await other.hits(3, "shared")
    assert answers[:2] == [None, None]
    assert answers[2] is not None
    assert 1 <= answers[2] <= 61
    assert await one.limiter.peek(BUDGET, "shared") is not None
    assert await one.hits(1, "somebody else") == [None]


@pytest.mark.usefixtures("patient_rate_limits")
async def test_a_thousand_at_once_get_exactly_what_there_is(
    valkey_url: str, new_replica: Callable[..., Replica]
) -> None:
    replicas = [new_replica(valkey_url), new_replica(valkey_url)]
    answers = await asyncio.gather(
        *(replica.limiter.hit(BUDGET, "crowd") for replica in replicas for _ in range(500))
    )
    assert answers.count(None) == 5
    assert [replica.passed_unlimited for replica in replicas] == [0, 0]


@pytest.mark.usefixtures("patient_rate_limits")
async def test_however_many_budgets_and_windows_it_is_one_round_trip_also_if_it_is_refused(
    new_valkey: Callable[[], ValkeyProcess], new_replica: Callable[..., Replica]
) -> None:
    valkey = new_valkey()
    limiter = new_replica(valkey.url).limiter
    messages = Budget("messages", parse_limits("100/minute;200/hour;300/day"))
    calls = Budget("calls", parse_limits("2/minute;50/hour"))
    charges = [Charge(messages, ("grant",), 2), Charge(calls, ("grant",))]
    assert await limiter.hit_in_turn(*charges) is None  # it has the script from here on
    client = redis.asyncio.Redis.from_url(valkey.url, decode_responses=True)
    try:

        async def scripts_run() -> int:
            statistics = await client.info("commandstats")
            assert statistics["cmdstat_script|load"]["calls"] == 1
            return int(statistics["cmdstat_evalsha"]["calls"])

        before = await scripts_run()
        answers = [await limiter.hit_in_turn(*charges) for _ in range(3)]
        assert await scripts_run() - before == 3
        assert await limiter.peek(calls, "grant") is not None
        assert await scripts_run() - before == 4
    finally:
        await client.aclose()
    assert [answer and answer.budget for answer in answers] == [None, calls, calls]


@pytest.mark.usefixtures("patient_rate_limits")
async def test_a_refusal_takes_nothing_from_the_other_windows_of_its_budget(
    new_valkey: Callable[[], ValkeyProcess], new_replica: Callable[..., Replica]
) -> None:
    limiter = new_replica(new_valkey().url).limiter
    short, long = parse_limits("7/minute;5/hour")
    key = "windows"
    for cost, fits in ((3, True), (3, False), (3, False), (1, True), (1, True), (1, False)):
        answer = await limiter.hit(Budget("both", (short, long)), key, cost=cost)
        assert (answer is None) is fits
    # The short window holds the five that passed, and not the seven that did not.
    assert await limiter.hit(Budget("both", (short,)), key, cost=2) is None
    assert await limiter.hit(Budget("both", (short,)), key) is not None


@pytest.mark.usefixtures("patient_rate_limits")
async def test_to_peek_spends_nothing_in_redis_either(
    valkey_url: str, new_replica: Callable[..., Replica]
) -> None:
    replica = new_replica(valkey_url)
    for _ in range(20):
        assert await replica.limiter.peek(BUDGET, "looked at") is None
    assert (await replica.hits(6, "looked at")).count(None) == 5


@pytest.mark.usefixtures("patient_rate_limits")
async def test_neither_an_address_nor_a_client_is_to_be_read_in_redis(
    valkey_url: str, new_replica: Callable[..., Replica]
) -> None:
    await new_replica(valkey_url).hits(1, "client-of-somebody", "192.0.2.77")
    client = redis.asyncio.Redis.from_url(valkey_url, decode_responses=True)
    try:
        # Other tests have namespaces of their own on this server.
        before = f"mcp-pingone:limits:{NAMESPACE}:"
        keys = [str(key) for key in await client.keys(f"{before}*")]
        ends = [await client.pttl(key) for key in keys]
    finally:
        await client.aclose()
    assert keys
    assert not any("192.0.2.77" in key or "client-of-somebody" in key for key in keys)
    # What is in Redis ends by itself.
    assert all(0 < end <= 120_000 for end in ends)


@pytest.mark.usefixtures("patient_rate_limits")
async def test_without_redis_everything_passes_and_a_metric_tells(
    new_valkey: Callable[[], ValkeyProcess], new_replica: Callable[..., Replica]
) -> None:
    valkey = new_valkey()
    replica = new_replica(valkey.url)
    assert (await replica.hits(6, "somebody")).count(None) == 5
    valkey.kill()
    with capture_logs() as logs:
        assert await replica.hits(10, "somebody") == [None] * 10
    assert replica.passed_unlimited == 10
    assert [entry["event"] for entry in logs] == ["rate_limits.redis_lost"]


@pytest.mark.usefixtures("patient_rate_limits")
async def test_redis_that_comes_back_is_noticed_and_limits_again(
    new_valkey: Callable[[], ValkeyProcess], new_replica: Callable[..., Replica]
) -> None:
    valkey = new_valkey()
    replica = new_replica(valkey.url)
    valkey.kill()
    assert await replica.hits(10, "somebody") == [None] * 10
    valkey.start()
    with capture_logs() as logs:
        assert await replica.hits(10, "somebody") == [None] * 10, "it was asked in the pause"
        replica.monotonic += PAUSE_SECONDS
        assert (await replica.hits(10, "somebody")).count(None) == 5
    assert replica.passed_unlimited == 20
    assert [entry["event"] for entry in logs] == ["rate_limits.redis_back"]


async def test_while_redis_is_away_one_request_in_a_second_asks_for_it(
    new_valkey: Callable[[], ValkeyProcess], new_replica: Callable[..., Replica]
) -> None:
    valkey = new_valkey()
    replica = new_replica(valkey.url)
    valkey.kill()
    await replica.hits(1, "somebody")
    replica.monotonic += PAUSE_SECONDS
    with capture_logs() as logs:
        assert await replica.hits(5, "somebody") == [None] * 5
    assert logs == [], "an incident is one line"


async def test_a_redis_that_accepts_and_never_answers_costs_a_tenth_of_a_second(
    new_replica: Callable[..., Replica],
) -> None:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        replica = new_replica(f"redis://127.0.0.1:{port}")
        loop = asyncio.get_running_loop()
        started = loop.time()
        answers = await asyncio.gather(*(replica.limiter.hit(BUDGET, "a") for _ in range(50)))
        took = loop.time() - started
        await replica.limiter.close()
    assert answers == [None] * 50
    assert took < 1.0


async def test_no_log_line_shows_the_password_of_redis(
    new_replica: Callable[..., Replica],
) -> None:
    replica = new_replica("redis://user:the-password@127.0.0.1:1/0")
    with capture_logs() as logs:
        assert await replica.hits(1, "somebody") == [None]
    assert "the-password" not in str(logs)


async def test_a_redis_that_is_slow_and_not_away_does_not_make_a_queue_without_end(
    valkey_url: str, new_replica: Callable[..., Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = asyncio.Event()

    async def slow(*_question: object, **_options: object) -> None:
        await answers.wait()

    monkeypatch.setattr(RedisCounters, "hit_windows", slow)
    monkeypatch.setattr(rate_limits, "TIMEOUT_SECONDS", 60.0)
    monkeypatch.setattr(rate_limits, "TURN_SECONDS", 0.01)
    replica = new_replica(valkey_url)
    in_turn = [asyncio.create_task(replica.hits(1, "slow")) for _ in range(rate_limits.MAX_ASKING)]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await replica.hits(1, "one more") == [None]
    assert replica.passed_unlimited == 1
    answers.set()
    # The others are answered: it was never away.
    assert await asyncio.gather(*in_turn) == [[None]] * rate_limits.MAX_ASKING
    assert replica.passed_unlimited == 1
