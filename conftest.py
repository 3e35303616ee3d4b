"""Loads what every test folder shares, and shares the tests out among processes."""

import pytest
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["database_servers", "valkey_servers"]


# Their tests share stacks of real processes, which are to be started once.
TOGETHER = ("tests/e2e/", "tests/proofs/")


class StacksTogether(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A file's tests stay in one process, and so do those of a folder that shares a stack."""

    def _split_scope(self, nodeid: str) -> str:
        for folder in TOGETHER:
            if nodeid.startswith(folder):
                return folder
        return nodeid.split("::", 1)[0]


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> StacksTogether:
    """Called by pytest-xdist for `-n`."""
    return StacksTogether(config, log)
