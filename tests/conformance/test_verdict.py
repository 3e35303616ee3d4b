"""What makes the gate fail, and what does not."""

import pytest
from conformance.baseline import RunBaseline, check_name
from conformance.results import Check
from conformance.verdict import judge

PASSES = Check("answers", "SUCCESS")
LISTED = RunBaseline(frozenset({"ping"}), {check_name("ping", "optional"): "There is none here."})
NOTHING_LISTED = RunBaseline(frozenset({"ping"}), {})


def problems(baseline: RunBaseline, **results: tuple[Check, ...] | None) -> tuple[str, ...]:
    return judge("2026-07-28", results, baseline).all_problems


def test_a_run_in_which_every_check_passes_is_without_problems() -> None:
    assert problems(NOTHING_LISTED, ping=(PASSES, Check("remark", "INFO"))) == ()


@pytest.mark.parametrize("status", ["FAILURE", "WARNING", "SKIPPED"])
def test_a_check_that_does_not_pass_fails_the_run_unless_it_is_listed(status: str) -> None:
    checks = (PASSES, Check("optional", status, "no answer"))
    assert problems(NOTHING_LISTED, ping=checks) == (f"ping:optional: {status}: no answer",)
    assert problems(LISTED, ping=checks) == ()


def test_a_status_nobody_knows_fails_the_run() -> None:
    assert problems(NOTHING_LISTED, ping=(PASSES, Check("new", "UNDECIDED")))


def test_an_entry_that_passes_fails_the_run() -> None:
    found = problems(LISTED, ping=(PASSES, Check("optional", "SUCCESS")))
    assert found == ("ping:optional: is in the baseline, but passes: remove the entry",)


def test_an_entry_holds_while_one_of_several_checks_with_its_id_fails() -> None:
    checks = (PASSES, Check("optional", "SUCCESS"), Check("optional", "FAILURE"))
    assert problems(LISTED, ping=checks) == ()


def test_an_entry_for_a_check_that_did_not_take_place_fails_the_run() -> None:
    found = problems(LISTED, ping=(PASSES,))
    assert found == ("ping:optional: is in the baseline, but there is no such check",)


def test_an_entry_excuses_its_check_in_its_own_scenario_only() -> None:
    optional = Check("optional", "FAILURE")
    found = problems(LISTED, ping=(PASSES, optional), pong=(optional,))
    assert found == ("pong:optional: FAILURE",)


def test_a_scenario_that_is_missing_fails_the_run() -> None:
    assert problems(NOTHING_LISTED) == ("ping: did not run",)


def test_a_scenario_that_broke_off_fails_the_run() -> None:
    assert problems(NOTHING_LISTED, ping=None) == ("ping: broke off; see its output.log",)


def test_a_scenario_that_proves_nothing_fails_the_run() -> None:
    remarks = (Check("remark", "INFO"), Check("wire-schema-valid", "SUCCESS"))
    assert problems(NOTHING_LISTED, ping=remarks) == ("ping: no check passed",)


def test_a_scenario_that_passes_without_being_named_fails_the_run() -> None:
    found = problems(NOTHING_LISTED, ping=(PASSES,), pong=(PASSES,))
    assert found == ("pong: passes, but is not one of [scenarios] in the baseline",)


def test_a_scenario_that_does_not_apply_may_say_so_by_a_remark() -> None:
    entry = {check_name("pong", "not-applicable"): "There is none here."}
    baseline = RunBaseline(frozenset({"ping"}), entry)
    remark = Check("not-applicable", "INFO")
    assert problems(baseline, ping=(PASSES,), pong=(remark,)) == ()


def test_a_scenario_that_the_revision_requires_fails_the_run_if_it_did_not_run() -> None:
    verdict = judge("fixtures", {"ping": (PASSES,)}, NOTHING_LISTED, {"ping", "pong"})
    assert verdict.all_problems == ("pong: did not run",)


def test_a_required_scenario_that_the_baseline_does_not_name_fails_the_run_though_it_passes() -> (
    None
):
    results = {"ping": (PASSES,), "pong": (PASSES,)}
    verdict = judge("fixtures", results, NOTHING_LISTED, {"pong"})
    assert verdict.all_problems == ("pong: passes, but is not one of [scenarios] in the baseline",)


def test_what_is_run_without_being_scored_counts_only_if_the_baseline_names_it() -> None:
    fails = (Check("answers", "FAILURE"),)
    verdict = judge("fixtures", {"ping": fails, "tasks": fails}, NOTHING_LISTED, set())
    assert verdict.all_problems == ("ping:answers: FAILURE", "ping: no check passed")
