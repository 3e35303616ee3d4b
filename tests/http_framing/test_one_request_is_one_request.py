"""Our server sees no request that h11 and nginx do not see in the same bytes (RFC 9112 section 11).

It may refuse more than they do. Where a request ends is then no matter of opinion between us and
whatever stands in front of us.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import takewhile

import pytest
from http_framing.by_h11 import seen_by_h11
from http_framing.by_nginx import Nginx, observing_nginx
from http_framing.by_us import Observation, seen_by_us
from http_framing.corpus import CORPUS
from http_framing.seen import Seen, is_no_more_than
from http_framing.stream import Stream

every_stream = pytest.mark.parametrize("stream", CORPUS, ids=[stream.id for stream in CORPUS])

# Where h11 refuses what the standard permits, and what leaves no doubt about the framing.
_H11_IS_STRICTER = {
    "Content-Length: many leading zeros": "it takes 20 digits (RFC 9110 8.6 has no bound)",
    "chunk size: leading zeros": "it takes 20 digits (RFC 9112 7.1 has no bound)",
    "request line: two first spaces": "RFC 9112 3 permits to take them as one",
    "request line: two second spaces": "RFC 9112 3 permits to take them as one",
}
# And where nginx does.
_NGINX_IS_STRICTER = {
    "Content-Length: tab before": "a tab is white space, too (RFC 9110 5.6.3)",
    "Content-Length: tab after": "a tab is white space, too (RFC 9110 5.6.3)",
    "Transfer-Encoding: a tab, then chunked": "a tab is white space, too (RFC 9110 5.6.3)",
    "Transfer-Encoding: chunked, then a tab": "a tab is white space, too (RFC 9110 5.6.3)",
    "request line: a broken percent-encoding": "it decodes paths for its own configuration",
    "request line: an encoded NUL": "it decodes paths for its own configuration",
    "request line: asterisk-form": "it forwards paths only",
}
# Refused by nginx, which then closes, however the request is framed (RFC 9110 15.5.6).
_METHODS_NGINX_REFUSES = (b"TRACE", b"CONNECT")
# h11 makes one of a list of equal lengths; and a server that ignores Upgrade need not pass it on.
_NOT_COMPARED = (b"content-length", b"transfer-encoding", b"upgrade")

_observed: dict[str, list[Observation]] = {}


async def observations(stream: Stream) -> list[Observation]:
    """What we made of the stream: in one packet first, then split in several ways. Done once."""
    if stream.id not in _observed:
        _observed[stream.id] = [await seen_by_us(parts) for parts in _splits(stream)]
    return _observed[stream.id]


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with observing_nginx(tmp_path_factory.mktemp("nginx")) as nginx:
        yield nginx


@every_stream
async def test_we_see_no_more_than_h11(stream: Stream) -> None:
    theirs = seen_by_h11(stream.data)
    for observation in await observations(stream):
        ours = observation.seen
        assert stream.id in _H11_IS_STRICTER or is_no_more_than(ours, theirs), _say(ours, theirs)


@every_stream
async def test_we_see_no_more_than_nginx(stream: Stream, nginx: Nginx) -> None:
    theirs = nginx.sees(stream.data)
    assert repr(_whole(nginx.sees(stream.head, stream.rest))) == repr(_whole(theirs))
    for observation in await observations(stream):
        ours = _forwarded_by_nginx(observation.seen, len(theirs))
        assert stream.id in _NGINX_IS_STRICTER or is_no_more_than(ours, theirs), _say(ours, theirs)


@every_stream
async def test_a_body_that_nobody_reads_becomes_no_request(stream: Stream) -> None:
    theirs = seen_by_h11(stream.data)
    for parts in [stream.data], [stream.head, stream.rest]:
        ours = (await seen_by_us(parts, is_hasty=True)).seen
        assert stream.id in _H11_IS_STRICTER or is_no_more_than(ours, theirs), _say(ours, theirs)


@every_stream
async def test_what_follows_the_head_becomes_no_field_of_it(stream: Stream) -> None:
    theirs = seen_by_h11(stream.data)
    for observation in await observations(stream):
        for our_request, their_request in zip(observation.seen, theirs, strict=False):
            if our_request.is_whole:
                assert _fields(our_request) == _fields(their_request)


@every_stream
async def test_every_request_has_one_answer_or_the_connection_ends(stream: Stream) -> None:
    for observation in await observations(stream):
        requests = sum(request.is_whole for request in observation.seen)
        answered = observation.answers.count(200)
        refusals = [status for status in observation.answers if status != 200]
        assert observation.answers == [200] * answered + refusals
        assert not refusals or (len(refusals) == 1 and refusals[0] >= 400)
        assert answered == requests or (answered < requests and observation.is_closed)
        assert not refusals or observation.is_closed
        assert all(request.is_whole for request in observation.seen[:-1])


@every_stream
async def test_how_the_bytes_are_split_changes_nothing(stream: Stream) -> None:
    whole, *split = await observations(stream)
    for observation in split:
        assert _without_fragments(observation.seen) == _without_fragments(whole.seen)
        assert observation.answers == whole.answers
        assert observation.is_closed == whole.is_closed


def _forwarded_by_nginx(ours: Sequence[Seen], forwarded: int) -> list[Seen]:
    taken = list(takewhile(lambda item: item.method not in _METHODS_NGINX_REFUSES, ours))
    # nginx keeps a request to itself whose body is wrong from its first byte on; we hand over the
    # head before we look at the body, and then break off.
    is_kept = len(taken) == forwarded + 1 and not taken[-1].is_whole
    return taken[:-1] if is_kept else taken


def _whole(requests: Sequence[Seen]) -> list[Seen]:
    return [request for request in requests if request.is_whole]


def _without_fragments(requests: Sequence[Seen]) -> list[tuple[bytes, bytes, bytes | None]]:
    # How much came of a body before it was broken off is a matter of packets.
    return [(item.method, item.target, item.body if item.is_whole else None) for item in requests]


def _fields(request: Seen) -> list[tuple[bytes, bytes]]:
    return [item for item in request.fields if item[0] not in _NOT_COMPARED]


def _say(ours: Sequence[Seen], theirs: Sequence[Seen]) -> str:
    return f"we saw {ours}, they saw {theirs}"


def _splits(stream: Stream) -> Iterator[Sequence[bytes]]:
    data = stream.data
    yield [data]
    yield [part for part in (stream.head, stream.rest) if part]
    yield [data[at : at + 1] for at in range(len(data))]
    # Seeded: a failure can be seen again.
    seeded = random.Random(stream.id)  # noqa: S311  (no secret)
    for _ in range(2):
        first, second = sorted(seeded.sample(range(1, len(data)), 2))
        yield [data[:first], data[first:second], data[second:]]
