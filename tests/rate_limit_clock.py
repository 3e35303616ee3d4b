"""The time of rate limits: in memory it passes only when told to, and Redis may take its time."""

import pytest


class RateLimitClock:
    """Stands in for the module `time` where the library `limits` reads it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0  # a full hour, and so the start of each shorter window

    def time(self) -> float:
        """The present moment in seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@pytest.fixture
def rate_limit_clock(monkeypatch: pytest.MonkeyPatch) -> RateLimitClock:
    """Stops the clock of rate limits for a test."""
    clock = RateLimitClock()
    monkeypatch.setattr("limits.aio.storage.memory.time", clock)
    return clock


@pytest.fixture
def patient_rate_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that are not about an outage: a busy machine must not look like one."""
    for constant in ("TIMEOUT_SECONDS", "TURN_SECONDS"):
        monkeypatch.setattr(f"service_kit.rate_limits.{constant}", 20.0)
