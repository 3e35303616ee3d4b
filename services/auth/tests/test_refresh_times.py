"""When a refresh at PingOne is due, and what configurations the times refuse."""

from datetime import UTC, datetime, timedelta

import pytest

from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.flows.refresh_times import RefreshTimes

END = datetime(2026, 11, 2, 10, 30, tzinfo=UTC)
TOKENS = UpstreamTokens("access", "refresh", "todo_api:read", END)


def test_logins_that_happened_together_are_refreshed_apart() -> None:
    times = RefreshTimes()
    due = [times.due_at(TOKENS, f"grant-{number} 1") for number in range(200)]
    earliest, latest = END - timedelta(seconds=180), END - timedelta(seconds=120)
    assert all(earliest < one <= latest for one in due)
    for minute_part in range(6):
        begins = earliest + timedelta(seconds=10 * minute_part)
        assert any(begins < one <= begins + timedelta(seconds=10) for one in due)


def test_each_question_about_one_token_set_gets_the_same_answer() -> None:
    # Else a grant that is asked about often would always be refreshed at the earliest moment.
    times = RefreshTimes()
    assert len({times.due_at(TOKENS, "grant-1 1") for _ in range(100)}) == 1
    assert times.due_at(TOKENS, "grant-1 1") != times.due_at(TOKENS, "grant-1 2")


def test_a_lease_that_does_not_outlast_two_time_outs_is_refused() -> None:
    ten = timedelta(seconds=10)
    with pytest.raises(ValueError, match="lease"):
        RefreshTimes(timeout=ten, lease=2 * ten)
    RefreshTimes(timeout=ten, lease=2 * ten + timedelta(seconds=1))
