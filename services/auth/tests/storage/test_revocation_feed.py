"""The fan-out of revocations in a process, from a source that says what the test tells it to."""

import pytest
from revocation_streams import eventually
from scripted_feed import RESOURCE, Channel, Feed, Source, next_of, rest_of, revocation
from structlog.testing import capture_logs

from auth_server.storage.revocation_feed import FeedUnavailable
from auth_server.storage.revocation_feed.feed import MAX_RECENT
from auth_server.storage.revocation_feed.streams import MAX_WAITING


async def test_it_listens_when_somebody_subscribes_and_stops_some_time_after_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("auth_server.storage.revocation_feed.feed.LINGER_SECONDS", 0.01)
    feed = Feed()
    feed.publish(revocation(0))
    assert feed.source.listening == 0
    subscriptions = [await feed.subscribe(RESOURCE) for _ in range(2)]
    assert feed.source.listening == 1
    assert feed.number("auth_revocation_subscribers") == 2
    for subscription in subscriptions:
        subscription.close()
        subscription.close()
    await eventually(lambda: feed.source.listening == 0)
    again = await feed.subscribe(RESOURCE)
    assert feed.source.listening == 1
    again.close()
    await feed.close()
    assert feed.source.listening == 0


async def test_a_reader_that_does_not_read_is_ended() -> None:
    feed = Feed()
    subscription = await feed.subscribe(RESOURCE)
    for number in range(MAX_WAITING):
        feed.deliver(revocation(number))
    assert feed.number("auth_revocation_overflows_total") == 0
    feed.deliver(revocation(MAX_WAITING))
    assert feed.number("auth_revocation_overflows_total") == 1
    assert feed.number("auth_revocation_subscribers") == 0
    assert await rest_of(subscription) == []
    await feed.close()


async def test_what_was_published_here_is_not_told_again_when_a_source_tells_it() -> None:
    feed = Feed()
    items = aiter(await feed.subscribe(RESOURCE))
    feed.publish(revocation(1))
    feed.source.hear(revocation(1))
    feed.source.hear(revocation(2))
    feed.publish(revocation(3))
    told = [await next_of(items) for _ in range(3)]
    assert told == ["grant-1", "grant-2", "grant-3"]
    await feed.close()


@pytest.mark.parametrize("liar", ["scripted", "redis"])
async def test_what_was_told_before_its_time_does_not_hide_the_revocation(liar: str) -> None:
    redis = Channel()
    feed = Feed(redis)
    items = aiter(await feed.subscribe(RESOURCE))
    await eventually(lambda: redis.listening == 1)
    sources: dict[str, Source] = {"scripted": feed.source, "redis": redis}
    for resource in (RESOURCE, "https://mcp.example.com/other"):
        sources[liar].hear(revocation(1, resource))
        sources[liar].hear(revocation(2, resource))
    feed.source.hear(revocation(1))
    feed.publish(revocation(2))
    told = [await next_of(items) for _ in range(4)]
    assert told == ["grant-1", "grant-2", "grant-1", "grant-2"]
    await feed.close()


async def test_what_is_remembered_of_revocations_is_bounded() -> None:
    feed = Feed()
    for number in range(MAX_RECENT + 1):
        feed.publish(revocation(number))
    items = aiter(await feed.subscribe(RESOURCE))
    feed.publish(revocation(1))  # still known
    feed.publish(revocation(0))  # the oldest is not
    assert await next_of(items) == "grant-0"
    await feed.close()


async def test_heartbeats_do_not_pile_up_in_front_of_a_slow_reader() -> None:
    feed = Feed()
    items = aiter(await feed.subscribe(RESOURCE))
    for _ in range(3):
        feed.source.confirm()
    feed.publish(revocation(1))
    assert [await next_of(items) for _ in range(2)] == [None, "grant-1"]
    await feed.close()


async def test_when_the_source_is_back_every_earlier_stream_ends_and_a_new_one_stays() -> None:
    feed = Feed()
    earlier = await feed.subscribe(RESOURCE)
    feed.source.is_reachable = False
    feed.source.lose()
    await eventually(lambda: feed.source.listening == 0)
    with pytest.raises(FeedUnavailable, match="cannot be reached"):
        await feed.subscribe(RESOURCE)
    feed.publish(revocation(1))  # what is known is told meanwhile, without a heartbeat
    items = aiter(earlier)
    assert await next_of(items) == "grant-1"
    feed.source.is_reachable = True
    assert await rest_of(items) == []
    later = await feed.subscribe(RESOURCE)
    feed.source.confirm()
    assert await next_of(aiter(later)) is None
    await feed.close()


@pytest.mark.parametrize("with_accelerator", [False, True])
async def test_a_source_that_fails_as_nobody_foresaw_is_told_of_and_listened_to_again(
    monkeypatch: pytest.MonkeyPatch, with_accelerator: bool
) -> None:
    monkeypatch.setattr("auth_server.storage.revocation_feed.listening.MAX_DELAY_SECONDS", 0.01)
    redis = Channel()
    feed = Feed(redis if with_accelerator else None)
    failing = redis if with_accelerator else feed.source
    subscription = await feed.subscribe(RESOURCE)
    await eventually(lambda: failing.listening == 1)
    failing.defect = RuntimeError("the transport is closed")
    with capture_logs() as logs:
        failing.lose()
        await eventually(lambda: failing.listening == 0)
        # Nobody has to subscribe for that.
        await eventually(lambda: failing.listening == 1)
    assert [line["log_level"] for line in logs if line["event"] == "revocations.failed"] == [
        "error"
    ]
    if not with_accelerator:
        assert await rest_of(subscription) == []
    await feed.close()
    assert failing.listening == 0


async def test_a_resource_is_compared_as_everywhere() -> None:
    feed = Feed()
    items = aiter(await feed.subscribe(RESOURCE))
    feed.publish(revocation(1, "https://mcp.example.com/other"))
    feed.publish(revocation(2, "HTTPS://MCP.EXAMPLE.COM/mcp/"))
    assert await next_of(items) == "grant-2"
    await feed.close()


async def test_a_feed_that_drains_ends_its_streams_and_refuses_others() -> None:
    feed = Feed()
    subscription = await feed.subscribe(RESOURCE)
    feed.drain()
    assert await rest_of(subscription) == []
    with pytest.raises(FeedUnavailable, match="stopping"):
        await feed.subscribe(RESOURCE)
    feed.publish(revocation(1))
    await feed.close()
