"""Our server sees no request that h11 and nginx do not see in the same bytes (RFC 9112 section 11).

It may refuse more than they do. Where a request ends is then no matter of opinion between us and
whatever stands in front of us.
"""

import random
from collections.abc import Iterator, Sequence

import pytest
from http_framing.by_h11 import seen_by_h11
from http_framing.by_nginx import REFUSED_METHODS, Nginx, observing_nginx
from http_framing.by_us import Observation, seen_by_us
from http_framing.corpus import CORPUS
from http_framing.seen import is_no_more_than
from http_framing.stream import Stream

every_stream = pytest.mark.parametrize("stream", CORPUS, ids=[stream.id for stream in CORPUS])
# What h11 writes in its own way: it lets a list of equal lengths become one.
_FRAMING = (b"content-length", b"transfer-encoding")


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with observing_nginx(tmp_path_factory.mktemp("nginx")) as nginx:
        yield nginx


@every_stream
async def test_we_see_no_more_than_h11(stream: Stream) -> None:
    ours, theirs = (await seen_by_us([stream.data])).seen, seen_by_h11(stream.data)
    assert is_no_more_than(ours, theirs), f"we saw {ours}, h11 saw {theirs}"


@every_stream
async def test_we_see_no_more_than_nginx(stream: Stream, nginx: Nginx) -> None:
    theirs = nginx.sees(stream.data)
    assert [repr(item) for item in nginx.sees(stream.head, stream.rest)] == [
        repr(item) for item in theirs
    ]
    seen = (await seen_by_us([stream.data])).seen
    ours = [request for request in seen if request.method not in REFUSED_METHODS]
    assert is_no_more_than(ours, theirs), f"we saw {ours}, nginx saw {theirs}"


@every_stream
async def test_what_follows_the_head_becomes_no_field_of_it(stream: Stream) -> None:
    for ours, theirs in zip((await seen_by_us([stream.data])).seen, seen_by_h11(stream.data)):
        fields = [item for item in ours.fields if item[0] not in _FRAMING]
        assert fields == [item for item in theirs.fields if item[0] not in _FRAMING]


@every_stream
async def test_every_request_has_one_answer_or_the_connection_ends(stream: Stream) -> None:
    for parts in _splits(stream):
        observation = await seen_by_us(parts)
        _assert_answered(observation)


@every_stream
async def test_how_the_bytes_are_split_changes_nothing(stream: Stream) -> None:
    whole, *split = [await seen_by_us(parts) for parts in _splits(stream)]
    for observation in split:
        assert repr(observation.seen) == repr(whole.seen)
        assert observation.is_closed == whole.is_closed


def _assert_answered(observation: Observation) -> None:
    requests = sum(request.is_whole for request in observation.seen)
    answers = observation.answers
    if len(answers) == requests and set(answers) <= {200}:
        assert all(request.is_whole for request in observation.seen[:-1])
        return
    *before, last = answers or [0]
    assert len(before) <= requests
    assert set(before) <= {200}
    assert last >= 400 or not answers
    assert observation.is_closed


def _splits(stream: Stream) -> Iterator[Sequence[bytes]]:
    data = stream.data
    yield [data]
    yield [stream.head, stream.rest]
    yield [data[at : at + 1] for at in range(len(data))]
    # Seeded: a failure can be seen again.
    seeded = random.Random(stream.id)  # noqa: S311  (no secret)
    for _ in range(2):
        first, second = sorted(seeded.sample(range(1, len(data)), 2))
        yield [data[:first], data[first:second], data[second:]]
