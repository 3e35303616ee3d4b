"""Reads baseline.toml: which scenarios must prove something, what does not apply, and why."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NewType

# `scenario:check-id`, as the suite writes it in its own files of expected failures.
CheckName = NewType("CheckName", str)

_CHECK_NAME: Final = re.compile(r"[a-z0-9-]+:[A-Za-z0-9_-]+")
_ENTRY_KEYS: Final = frozenset({"reason", "runs", "checks"})


class InvalidBaseline(Exception):
    """The file does not say what it has to; the text says where."""


@dataclass(frozen=True, slots=True)
class RunBaseline:
    """What is expected of one run of the suite."""

    scenarios: frozenset[str]
    reasons: Mapping[CheckName, str]


def check_name(scenario: str, check_id: str) -> CheckName:
    """Return the name that the baseline has for a check."""
    return CheckName(f"{scenario}:{check_id}")


def read_baseline(file: Path) -> dict[str, RunBaseline]:
    """Return what is expected of each run, by the run's name; raise InvalidBaseline."""
    with file.open("rb") as stream:
        try:
            document = tomllib.load(stream)
        except tomllib.TOMLDecodeError as error:
            raise InvalidBaseline(f"{file.name} is not TOML: {error}") from error
    return parse_baseline(document)


def parse_baseline(document: dict[str, Any]) -> dict[str, RunBaseline]:
    """Check and return the content of a baseline file; raise InvalidBaseline."""
    if document.keys() != {"scenarios", "does_not_apply"}:
        raise InvalidBaseline("the file has two parts: [scenarios] and [[does_not_apply]]")
    scenarios: dict[str, list[str]] = document["scenarios"]
    reasons: dict[str, dict[CheckName, str]] = {run: {} for run in scenarios}
    for entry in document["does_not_apply"]:
        _check_entry(entry, reasons.keys())
        for run, name in _pairs(entry):
            if name in reasons[run]:
                raise InvalidBaseline(f"{name} is listed twice for {run}")
            reasons[run][name] = entry["reason"]
    return {run: RunBaseline(frozenset(names), reasons[run]) for run, names in scenarios.items()}


def _pairs(entry: dict[str, Any]) -> Iterator[tuple[str, CheckName]]:
    for run in entry["runs"]:
        for name in entry["checks"]:
            yield run, CheckName(name)


def _check_entry(entry: dict[str, Any], known_runs: Collection[str]) -> None:
    if entry.keys() != _ENTRY_KEYS:
        raise InvalidBaseline(f"an entry has the keys {sorted(_ENTRY_KEYS)}: {entry}")
    if not entry["reason"].strip():
        raise InvalidBaseline(f"an entry without a reason: {entry['checks']}")
    if not entry["runs"] or not entry["checks"]:
        raise InvalidBaseline(f"an entry that lists nothing: {entry['reason']}")
    for run in entry["runs"]:
        if run not in known_runs:
            raise InvalidBaseline(f"there is no run {run}")
    for name in entry["checks"]:
        if _CHECK_NAME.fullmatch(name) is None:
            raise InvalidBaseline(f"not a scenario:check-id: {name}")
