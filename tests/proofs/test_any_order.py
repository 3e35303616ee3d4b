"""The state machine of grants on PostgreSQL, with other examples in each run."""

import time
from collections import Counter
from typing import Any

import pytest
from grant_examples import STEPS, rare, run_lifecycle
from grant_outcomes import Outcome
from grant_service import service_on

from auth_server.storage.schema import upgrade

EXAMPLES, AT_A_TIME = 200, 25
LONGEST_SECONDS = 120.0


@pytest.mark.long_proof
def test_no_order_of_events_leaves_a_dead_handle_active_or_two_lineages(
    postgresql_url: str, note: Any
) -> None:
    upgrade(postgresql_url)
    counts: Counter[Outcome] = Counter()
    examples = 0
    until = time.monotonic() + LONGEST_SECONDS
    with service_on(postgresql_url) as service:
        while examples < EXAMPLES and time.monotonic() < until:
            # If one fails, what Hypothesis prints makes it come again.
            counts += run_lifecycle(
                service, max_examples=AT_A_TIME, derandomize=False, print_blob=True
            )
            examples += AT_A_TIME
    assert not rare(counts)
    note(
        24,
        "Codes, handles, refreshes, replays, revocations, sweeps and time in random order, three"
        " callers at once among them: after each step PostgreSQL holds what a simple model says, no"
        " handle of a dead grant is active, no grant has two live lineages.",
        f"{examples} examples of up to {STEPS} steps: {counts[Outcome.REDEEMED]} codes redeemed,"
        f" {counts[Outcome.ROTATED]} handles rotated, {counts[Outcome.AT_ONCE]} times by several at"
        f" once, {counts[Outcome.STOLEN]} stolen, {counts[Outcome.SWEPT]} sweeps",
    )
