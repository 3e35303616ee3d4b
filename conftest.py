"""What every test folder shares; tests shared out among processes; what the proofs measured."""

import pytest
from proof_report import PROPERTY, ProofReport
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["database_servers", "rate_limit_clock", "valkey_servers"]


# Their tests share stacks of real processes, which are to be started once.
TOGETHER = ("tests/e2e/clients/", "tests/e2e/", "tests/proofs/")


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the proofs measured, whichever process ran them, and those that failed too."""
    report = ProofReport()
    for outcome in ("passed", "failed"):
        for result in terminalreporter.stats.get(outcome, []):
            for name, row in result.user_properties:
                if name == PROPERTY:
                    report.note(*row)
    if lines := report.as_lines():
        terminalreporter.section("what the proofs measured")
        for line in lines:
            terminalreporter.write_line(line)
