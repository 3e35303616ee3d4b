"""Codes, handles, refreshes, revocations, sweeps and time in any order: see grant_lifecycle.py."""

import shutil
from pathlib import Path

from grant_examples import rare, run_lifecycle
from grant_service import service_on


def test_no_order_of_events_leaves_a_dead_handle_active_or_two_lineages(
    sqlite_template: Path, tmp_path: Path
) -> None:
    file = shutil.copy(sqlite_template, tmp_path)
    with service_on(f"sqlite+aiosqlite:///{file}") as service:
        counts = run_lifecycle(service, max_examples=30, derandomize=True)
    assert not rare(counts)
