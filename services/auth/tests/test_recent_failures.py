"""The memory of documents that could not be had is short, and does not grow."""

import pytest
from auth_harness import Clock

from auth_server.domain.errors import UnusableDocument
from auth_server.flows.recent_failures import MOST_REMEMBERED, RecentFailures


def test_a_failure_is_raised_again_for_a_minute_with_its_words() -> None:
    clock = Clock()
    failures = RecentFailures(clock.monotonic)
    failures.remember("a", UnusableDocument("it is not valid", detail="for the log"))
    clock.advance(seconds=59)
    with pytest.raises(UnusableDocument, match="for the log") as raised:
        failures.raise_again("a")
    assert raised.value.description == "it is not valid"
    clock.advance(seconds=1)
    failures.raise_again("a")
    failures.raise_again("b")


def test_the_oldest_failure_makes_room() -> None:
    failures = RecentFailures(Clock().monotonic)
    for number in range(MOST_REMEMBERED):
        failures.remember(str(number), UnusableDocument("no"))
    failures.remember("0", UnusableDocument("no"))  # the newest now
    failures.remember("one more", UnusableDocument("no"))
    failures.raise_again("1")
    for known in ("0", "2", "one more"):
        with pytest.raises(UnusableDocument):
            failures.raise_again(known)
