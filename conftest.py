"""Loads what every test folder shares, and shares the tests out among processes."""

import pytest
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["database_servers"]


class EndToEndTogether(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A file's tests stay in one process, and so do all end-to-end tests.

    Those share stacks of real processes, which would otherwise be started once per process.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "tests/e2e" if nodeid.startswith("tests/e2e/") else nodeid.split("::", 1)[0]


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> EndToEndTogether:
    """Called by pytest-xdist for `-n`."""
    return EndToEndTogether(config, log)
