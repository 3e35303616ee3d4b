"""Runs examples of grant_lifecycle.py, and tells whether they were worth something."""

from collections import Counter
from typing import Any

from grant_lifecycle import Lifecycle
from grant_outcomes import Outcome
from grant_service import Service
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

# Of each example; and how often each outcome must have come about in 30 of them.
STEPS, AT_LEAST = 20, 3


def run_lifecycle(service: Service, **options: Any) -> Counter[Outcome]:
    """Run examples as the settings say; return how often what came about."""
    counts = Counter(dict.fromkeys(Outcome, 0))
    run_state_machine_as_test(
        type("WithService", (Lifecycle,), {"service": service, "counts": counts}),
        settings=settings(
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            # Not Phase.shrink, which would repeat a failure for minutes: add it to look at one.
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow],
            **options,
        ),
    )
    return counts


def rare(counts: Counter[Outcome]) -> dict[Outcome, int]:
    """What has hardly been explored: nothing, after a run that is worth something."""
    return {outcome: counts[outcome] for outcome in Outcome if counts[outcome] < AT_LEAST}
