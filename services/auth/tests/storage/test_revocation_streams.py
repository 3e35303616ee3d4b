"""Who gets a stream of revocations: each resource has its share, and its newest streams."""

import asyncio

import pytest
from revocation_streams import WAIT_SECONDS, eventually
from scripted_feed import NEIGHBOUR, RESOURCE, Feed, next_of, rest_of, revocation

from auth_server.storage.revocation_feed import FeedUnavailable, ShareSpent
from auth_server.storage.revocation_feed.streams import MAX_STREAMS, MIN_SHARE, SETTLED_SECONDS


async def test_there_are_so_many_streams_and_no_more() -> None:
    feed = Feed()
    subscriptions = [await feed.subscribe(RESOURCE) for _ in range(MAX_STREAMS)]
    with pytest.raises(FeedUnavailable, match="too many"):
        await feed.subscribe(RESOURCE)
    subscriptions[0].close()
    await feed.subscribe(RESOURCE)
    await feed.close()


@pytest.mark.parametrize(
    ("resources", "share"),
    [(1, MAX_STREAMS), (2, MAX_STREAMS // 2), (3, MAX_STREAMS // 3), (100, MIN_SHARE)],
)
async def test_what_one_resource_server_opens_takes_no_place_of_anothers(
    resources: int, share: int
) -> None:
    feed = Feed(resources=resources)
    for _ in range(share):
        await feed.subscribe(RESOURCE)
    with pytest.raises(ShareSpent, match=RESOURCE):
        await feed.subscribe(RESOURCE)
    assert feed.number("auth_revocation_streams_refused_total", resource=RESOURCE) == 1
    for _ in range(share):
        await feed.subscribe(NEIGHBOUR)
    assert feed.number("auth_revocation_subscribers") == 2 * share
    await feed.close()


async def test_a_follower_that_returns_has_the_place_of_the_oldest_of_its_own_streams() -> None:
    feed = Feed(resources=100)
    neighbours = aiter(await feed.subscribe(NEIGHBOUR))
    left_behind = [await feed.subscribe(RESOURCE) for _ in range(MIN_SHARE)]
    with pytest.raises(ShareSpent) as refused:
        await feed.subscribe(RESOURCE)
    assert refused.value.seconds == SETTLED_SECONDS
    feed.now += refused.value.seconds
    for number in range(MIN_SHARE):
        items = aiter(await feed.subscribe(RESOURCE))
        assert await rest_of(left_behind[number]) == []
        feed.publish(revocation(number))
        assert await next_of(items) == f"grant-{number}"
    replaced = feed.number("auth_revocation_streams_replaced_total", resource=RESOURCE)
    assert replaced == MIN_SHARE
    # Those that came back are left alone for a moment, and the neighbour always.
    with pytest.raises(ShareSpent):
        await feed.subscribe(RESOURCE)
    feed.publish(revocation(99, NEIGHBOUR))
    assert await next_of(neighbours) == "grant-99"
    await feed.close()


async def test_those_who_wait_for_the_source_take_no_place_of_anothers_either() -> None:
    feed = Feed(resources=100)
    feed.source.is_silent = True
    waiting = [asyncio.create_task(feed.subscribe(RESOURCE)) for _ in range(MIN_SHARE)]
    neighbour = asyncio.create_task(feed.subscribe(NEIGHBOUR))
    await eventually(lambda: feed.source.listening == 1)
    with pytest.raises(ShareSpent):
        await feed.subscribe(RESOURCE)
    feed.source.confirm()
    async with asyncio.timeout(WAIT_SECONDS):
        await asyncio.gather(neighbour, *waiting)
    assert feed.number("auth_revocation_subscribers") == MIN_SHARE + 1
    await feed.close()
