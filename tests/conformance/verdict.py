"""Holds the results of one run against the baseline.

A check passes, or the baseline says why it does not apply. A warning and a skipped check count as
not passed: a suite that skips what it used to check would otherwise look like one that is content.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from conformance.baseline import CheckName, RunBaseline, check_name
from conformance.results import PASSED, REMARK, WIRE_SCHEMA_CHECK, Check, Results

# Remarks need no entry, but may have one: some scenarios say by a remark that they do not apply.
_CONTENT: Final = frozenset({PASSED, REMARK})


@dataclass(frozen=True, slots=True)
class ScenarioVerdict:
    """One scenario: how many checks passed, how many do not apply, and what is wrong."""

    name: str
    passed: int
    not_applicable: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """One run: the scenarios that must prove something, then the others."""

    run: str
    required: tuple[ScenarioVerdict, ...]
    others: tuple[ScenarioVerdict, ...]
    problems: tuple[str, ...]

    @property
    def all_problems(self) -> tuple[str, ...]:
        """What is wrong with the run and with each scenario; empty if the run passes."""
        scenarios = (*self.required, *self.others)
        return (*self.problems, *(problem for item in scenarios for problem in item.problems))


def judge(
    run: str, results: Results, baseline: RunBaseline, scored: Collection[str] | None = None
) -> RunVerdict:
    """Judge every scenario of a run, and every entry of the baseline for it.

    Where the suite says which scenarios it scores, each of them must have run. Of what it runs
    besides, only what the baseline names is judged.
    """
    expected = baseline.scenarios
    if scored is not None:
        expected = baseline.scenarios.union(scored)
        results = {name: checks for name, checks in results.items() if name in expected}
    verdicts = [
        _judge_scenario(name, checks, baseline)
        for name, checks in results.items()
        if checks is not None
    ]
    return RunVerdict(
        run,
        required=tuple(item for item in verdicts if item.name in baseline.scenarios),
        others=tuple(item for item in verdicts if item.name not in baseline.scenarios),
        problems=(*_absences(results, expected), *_stale_entries(results, baseline)),
    )


def _judge_scenario(name: str, checks: Iterable[Check], baseline: RunBaseline) -> ScenarioVerdict:
    passed = not_applicable = proofs = 0
    problems: list[str] = []
    for check in checks:
        listed = check_name(name, check.id) in baseline.reasons
        passed += check.status == PASSED
        proofs += check.status == PASSED and check.id != WIRE_SCHEMA_CHECK
        not_applicable += check.status != PASSED and listed
        if check.status not in _CONTENT and not listed:
            problems.append(_describe(name, check))
    if name in baseline.scenarios and not proofs:
        problems.append(f"{name}: no check passed")
    if name not in baseline.scenarios and not (not_applicable or problems):
        problems.append(f"{name}: passes, but is not one of [scenarios] in the baseline")
    return ScenarioVerdict(name, passed, not_applicable, tuple(problems))


def _absences(results: Results, expected: frozenset[str]) -> Iterator[str]:
    for name in sorted(expected - results.keys()):
        yield f"{name}: did not run"
    for name, checks in results.items():
        if checks is None:
            yield f"{name}: broke off; see its output.log"


def _stale_entries(results: Results, baseline: RunBaseline) -> Iterator[str]:
    seen: dict[CheckName, set[str]] = {}
    for scenario, checks in results.items():
        for check in checks or ():
            seen.setdefault(check_name(scenario, check.id), set()).add(check.status)
    for name in baseline.reasons:
        # An id may occur several times in a scenario: the entry holds while one of them fails.
        statuses = seen.get(name)
        if statuses is None:
            yield f"{name}: is in the baseline, but there is no such check"
        elif statuses == {PASSED}:
            yield f"{name}: is in the baseline, but passes: remove the entry"


def _describe(scenario: str, check: Check) -> str:
    text = f"{check_name(scenario, check.id)}: {check.status}"
    return f"{text}: {check.message}" if check.message else text
