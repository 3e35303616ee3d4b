"""docs/threat-model.md names tests that exist, for each threat and for each known defect."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
DOCUMENT: Final = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
TEST_FOLDERS: Final = ("tests", "services", "libs", "dev")
DEFECTS: Final = [2, *range(4, 13), *range(15, 22)]
NAMED: Final = re.compile(r"`(test_[a-z0-9_]+)`")


def section(heading: str) -> str:
    """The text below a heading of the second level."""
    return DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of all tables, without their heads."""
    for table in re.findall(r"(?:^\|.*\n)+", text + "\n", re.MULTILINE):
        for line in table.splitlines()[2:]:
            yield [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture(scope="module")
def tests() -> set[str]:
    """The names of all test functions. They are read, not imported."""
    files = (file for name in TEST_FOLDERS for file in (ROOT / name).rglob("test_*.py"))
    return {
        node.name
        for file in files
        if "node_modules" not in file.parts
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def test_every_test_that_is_named_exists(tests: set[str]) -> None:
    named = set(NAMED.findall(DOCUMENT))
    assert len(named) > 80
    assert sorted(named - tests) == []


def test_every_threat_has_a_control_and_a_test() -> None:
    threats = list(rows(section("Threats")))
    assert len(threats) > 30
    for threat, control, named in threats:
        assert threat
        assert control
        assert NAMED.findall(named), threat


def test_every_remaining_risk_has_a_reason() -> None:
    risks = list(rows(section("Risks that remain")))
    assert len(risks) > 10
    assert all(len(row) == 2 and all(row) for row in risks)


def test_every_defect_of_the_reference_has_a_test() -> None:
    defects = list(rows(section("Defects of the reference implementation")))
    assert [int(number) for number, _, _ in defects] == DEFECTS
    for _, what, named in defects:
        assert what
        assert NAMED.findall(named), what
