"""The gate asks the suite itself what a revision requires."""

from pathlib import Path

import pytest
from conformance.node import InstalledSuite
from conformance.problem import ConformanceProblem
from conformance.suite import Suite


def suite_with(folder: Path, requirements: str) -> Suite:
    (folder / "2026-07-28.yaml").write_text(requirements, encoding="utf-8")
    installed = InstalledSuite(folder / "node", folder / "index.js", folder, was_cached=True)
    return Suite(installed, folder / "results")


def test_the_required_scenarios_are_those_for_servers(tmp_path: Path) -> None:
    requirements = """
server: [tools-list, caching]
client: [auth/basic-cimd]
not_scored:
  - {scenario: tasks-lifecycle, leg: server, reason: extension}
"""
    assert suite_with(tmp_path, requirements).scored("2026-07-28") == {"tools-list", "caching"}


@pytest.mark.parametrize("requirements", ["", "server: []", "client: [auth/basic-cimd]"])
def test_a_suite_that_requires_nothing_is_a_problem(tmp_path: Path, requirements: str) -> None:
    with pytest.raises(ConformanceProblem, match="requires nothing"):
        suite_with(tmp_path, requirements).scored("2026-07-28")


def test_a_revision_that_the_suite_does_not_know_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConformanceProblem, match="for 2031-01-01"):
        suite_with(tmp_path, "server: [tools-list]").scored("2031-01-01")
