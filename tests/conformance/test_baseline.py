"""The baseline is read strictly: a slip in it must not excuse anything."""

from pathlib import Path
from typing import Any

import pytest
from conformance.baseline import InvalidBaseline, parse_baseline, read_baseline
from conformance.run import RUNS

FILE = Path(__file__).with_name("baseline.toml")


def document(**entry: Any) -> dict[str, Any]:
    valid = {"reason": "There is none here.", "runs": ["first"], "checks": ["ping:optional"]}
    return {"scenarios": {"first": ["ping"], "second": []}, "does_not_apply": [valid | entry]}


def test_the_baseline_of_this_repository_is_valid_and_knows_every_run() -> None:
    assert read_baseline(FILE).keys() == set(RUNS)


def test_an_entry_counts_in_the_runs_it_names_only() -> None:
    baseline = parse_baseline(document())
    assert baseline["first"].scenarios == {"ping"}
    assert baseline["first"].reasons == {"ping:optional": "There is none here."}
    assert baseline["second"].reasons == {}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"reason": "  "}, "without a reason"),
        ({"runs": []}, "lists nothing"),
        ({"checks": []}, "lists nothing"),
        ({"runs": ["third"]}, "there is no run third"),
        ({"checks": ["ping"]}, "not a scenario:check-id"),
        ({"checks": ["ping: optional"]}, "not a scenario:check-id"),
        ({"checks": ["ping:optional", "ping:optional"]}, "listed twice"),
        ({"because": "of a typing error"}, "has the keys"),
    ],
)
def test_an_entry_that_is_not_in_order_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidBaseline, match=message):
        parse_baseline(document(**entry))


def test_a_part_of_the_file_with_another_name_is_refused() -> None:
    with pytest.raises(InvalidBaseline, match="two parts"):
        parse_baseline(document() | {"does_not_aply": []})
