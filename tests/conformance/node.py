"""The suite that npm installs from the lock, and the Node that runs it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conformance.problem import ConformanceProblem
from node_packages import NodeProblem, install_packages

_PACKAGE: Final = Path("@modelcontextprotocol/conformance")
_LOCKED: Final = Path(__file__).with_name("npm")


@dataclass(frozen=True, slots=True)
class InstalledSuite:
    """How the suite is started: the program, the script it runs; and its frozen requirements."""

    node: Path
    entry: Path
    requirements: Path
    was_cached: bool


def install_suite(folder: Path) -> InstalledSuite:
    """Install the locked suite into folder unless it is there already; raise ConformanceProblem."""
    try:
        installed = install_packages(_LOCKED, folder)
    except NodeProblem as problem:
        raise ConformanceProblem(str(problem)) from problem
    package = installed.modules / _PACKAGE
    return InstalledSuite(
        node=installed.node,
        entry=package / "dist" / "index.js",
        requirements=package / "requirements",
        was_cached=installed.was_cached,
    )
