"""Reads what the suite leaves behind: one folder for each scenario, with its checks as JSON."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conformance.problem import ConformanceProblem

PASSED: Final = "SUCCESS"
REMARK: Final = "INFO"
# The suite adds this one to every scenario: it is about messages, not about the scenario.
WIRE_SCHEMA_CHECK: Final = "wire-schema-valid"

_TIMESTAMP: Final = re.compile(r"-\d{4}-\d{2}-\d{2}T[0-9-]+Z")
_CHECKS_FILE: Final = "checks.json"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one scenario: SUCCESS, FAILURE, WARNING, SKIPPED or INFO."""

    id: str
    status: str
    message: str = ""


# None instead of checks: the scenario began and did not reach its end.
Results = Mapping[str, tuple[Check, ...] | None]


def read_results(folder: Path, prefix: str) -> Results:
    """Return the checks of every scenario that the suite started, by the scenario's name."""
    results: dict[str, tuple[Check, ...] | None] = {}
    for item in sorted(folder.iterdir()):
        if item.is_dir() and item.name.startswith(prefix):
            name = _TIMESTAMP.sub("", item.name.removeprefix(prefix))
            results[name] = _read_checks(item / _CHECKS_FILE)
    if not results:
        raise ConformanceProblem(f"the suite left no results in {folder}")
    return results


def _read_checks(file: Path) -> tuple[Check, ...] | None:
    if not file.exists():
        return None
    document: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return tuple(
        Check(item["id"], item["status"], item.get("errorMessage") or "") for item in document
    )
