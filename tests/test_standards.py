"""docs/standards.md and the tests name each other: `pytest.mark.standard("RFC 6749 4.1.2 state")`.

A row with the status "implemented" has a test with its identifier as a marker, and every marker has
such a row. Every other row says why. The tests are read, not imported: a marker is a literal.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
DOCUMENT: Final = ROOT / "docs" / "standards.md"
TEST_FOLDERS: Final = ("tests", "services", "libs", "dev")

HEADER: Final = ["Section", "Requirement", "Status", "Note"]
RULE: Final = ["---"] * len(HEADER)
IMPLEMENTED: Final = "implemented"
EXPLAINED: Final = frozenset({"deviates", "not implemented yet", "not applicable"})

STANDARDS: Final = (
    *(
        "RFC 6265",
        "RFC 6749",
        "RFC 6750",
        "RFC 6797",
        "RFC 7009",
        "RFC 7523",
        "RFC 7591",
        "RFC 7636",
        "RFC 7662",
        "RFC 8252",
    ),
    *("RFC 8414", "RFC 8707", "RFC 9068", "RFC 9207", "RFC 9457", "RFC 9700", "RFC 9728"),
    *("Fetch Metadata", "OAuth 2.1", "OIDC Core", "CIMD draft", "MCP 2026-07-28", "MCP 2025-11-25"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, and the standard of the heading above it."""

    standard: str
    section: str
    requirement: str
    status: str
    note: str

    def problems(self) -> list[str]:
        """What is wrong with this row alone."""
        found = []
        if not self.section.startswith(f"{self.standard} "):
            found.append(f"{self.section}: stands under {self.standard}")
        if not self.requirement:
            found.append(f"{self.section}: has no requirement")
        if self.status in EXPLAINED:
            if not self.note:
                found.append(f"{self.section}: is {self.status}, and does not say why")
        elif self.status != IMPLEMENTED:
            found.append(f"{self.section}: has no status that is known: {self.status!r}")
        return found


def read_rows(document: str) -> list[Row]:
    """The rows of all tables; a malformed one is a failure of the test that reads it."""
    rows: list[Row] = []
    standard = ""
    for line in document.splitlines():
        if line.startswith("## "):
            standard = line.removeprefix("## ").partition(":")[0]
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip().removeprefix("|").split("|")[:-1]]
            assert len(cells) == len(HEADER), f"not {len(HEADER)} cells: {line}"
            if cells not in (HEADER, RULE):
                section = cells[0]
                assert section.startswith("`"), f"the section is no identifier: {line}"
                assert section.endswith("`"), f"the section is no identifier: {line}"
                rows.append(Row(standard, section.strip("`"), *cells[1:]))
    return rows


def is_standard_marker(node: ast.AST) -> bool:
    """Whether this is `pytest.mark.standard`, called or not."""
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "pytest.mark.standard"


def read_markers(source: str) -> list[str]:
    """The identifiers in the markers of the tests in a file."""
    tree = ast.parse(source)
    identifiers: list[str] = []
    on_tests = 0
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and (
            function.name.startswith("test_")
        ):
            for marker in function.decorator_list:
                if isinstance(marker, ast.Call) and is_standard_marker(marker.func):
                    on_tests += 1
                    assert marker.args, f"{function.name}: a marker without an identifier"
                    assert not marker.keywords, f"{function.name}: a marker with a keyword"
                    identifiers += [literal(argument, function.name) for argument in marker.args]
    everywhere = sum(is_standard_marker(node) for node in ast.walk(tree))
    assert everywhere == on_tests, "a marker that is not called on a test function"
    return identifiers


def literal(argument: ast.expr, test: str) -> str:
    """The text of a marker's argument."""
    assert isinstance(argument, ast.Constant), f"{test}: a marker must be a literal"
    assert isinstance(argument.value, str), f"{test}: a marker must be a string"
    return argument.value


def find_problems(rows: Iterable[Row], markers: Mapping[str, Iterable[str]]) -> list[str]:
    """Whatever the document and the markers (identifier -> files) do not agree on."""
    rows = list(rows)
    problems = [problem for row in rows for problem in row.problems()]
    counts = Counter(row.section for row in rows)
    problems += [f"{section}: stands twice" for section, count in counts.items() if count > 1]
    implemented = {row.section for row in rows if row.status == IMPLEMENTED}
    problems += [
        f"{section}: implemented, but no test says so" for section in implemented - markers.keys()
    ]
    problems += [
        f"{identifier}: in {', '.join(sorted(set(files)))}, but no row says implemented"
        for identifier, files in markers.items()
        if identifier not in implemented
    ]
    return sorted(problems)


def all_markers() -> dict[str, list[str]]:
    """Every identifier in a marker, with the files that use it."""
    markers: dict[str, list[str]] = {}
    for folder in TEST_FOLDERS:
        for file in sorted((ROOT / folder).rglob("test_*.py")):
            for identifier in read_markers(file.read_text(encoding="utf-8")):
                markers.setdefault(identifier, []).append(str(file.relative_to(ROOT)))
    return markers


def test_the_document_and_the_tests_agree() -> None:
    rows = read_rows(DOCUMENT.read_text(encoding="utf-8"))
    assert find_problems(rows, all_markers()) == []


def test_every_standard_has_its_table() -> None:
    rows = read_rows(DOCUMENT.read_text(encoding="utf-8"))
    assert tuple(dict.fromkeys(row.standard for row in rows)) == STANDARDS


TABLE = """
## RFC 1: A standard

| Section | Requirement | Status | Note |
| --- | --- | --- | --- |
"""
DONE = "| `RFC 1 2.1` | A thing | implemented | |"


@pytest.mark.parametrize(
    ("row", "marked", "problem"),
    [
        (DONE, ["RFC 1 2.1"], None),
        (DONE, [], "RFC 1 2.1: implemented, but no test says so"),
        (DONE, ["RFC 1 2.1", "RFC 1 2"], "RFC 1 2: in test_x.py, but no row says implemented"),
        (f"{DONE}\n{DONE}", ["RFC 1 2.1"], "RFC 1 2.1: stands twice"),
        ("| `RFC 1 3` | A thing | deviates | Why |", [], None),
        ("| `RFC 1 3` | A thing | not applicable | Why |", [], None),
        ("| `RFC 1 3` | A thing | not implemented yet | Why |", [], None),
        (
            "| `RFC 1 3` | A thing | deviates | |",
            [],
            "RFC 1 3: is deviates, and does not say why",
        ),
        (
            "| `RFC 1 3` | A thing | deviates | Why |",
            ["RFC 1 3"],
            "RFC 1 3: in test_x.py, but no row says implemented",
        ),
        ("| `RFC 1 3` | A thing | done | |", [], "RFC 1 3: has no status that is known: 'done'"),
        ("| `RFC 1 3` | | deviates | Why |", [], "RFC 1 3: has no requirement"),
        ("| `RFC 2 3` | A thing | deviates | Why |", [], "RFC 2 3: stands under RFC 1"),
    ],
)
def test_each_disagreement_is_named(row: str, marked: list[str], problem: str | None) -> None:
    markers = {identifier: ["test_x.py"] for identifier in marked}
    expected = [] if problem is None else [problem]
    assert find_problems(read_rows(TABLE + row), markers) == expected


@pytest.mark.parametrize(
    "row", ["| `RFC 1 2` | too few | deviates |", "| RFC 1 2 | no identifier | deviates | Why |"]
)
def test_a_malformed_row_is_not_passed_over(row: str) -> None:
    with pytest.raises(AssertionError):
        read_rows(TABLE + row)


def test_the_markers_of_a_test_are_read_whatever_else_it_is_decorated_with() -> None:
    source = """
@ON_SQLITE
@pytest.mark.standard("RFC 1 2.1", "RFC 1 3")
@pytest.mark.parametrize("x", [1])
async def test_one(x): ...

class TestAll:
    @pytest.mark.standard("RFC 1 4")
    def test_two(self): ...
"""
    assert read_markers(source) == ["RFC 1 2.1", "RFC 1 3", "RFC 1 4"]


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.mark.standard()\ndef test_one(): ...",
        "@pytest.mark.standard\ndef test_one(): ...",
        "@pytest.mark.standard(SECTION)\ndef test_one(): ...",
        "@pytest.mark.standard(1)\ndef test_one(): ...",
        "@pytest.mark.standard(section='RFC 1 2')\ndef test_one(): ...",
        "@pytest.mark.standard('RFC 1 2')\ndef help_a_test(): ...",
        "pytestmark = pytest.mark.standard('RFC 1 2')",
    ],
)
def test_a_marker_that_cannot_be_read_is_not_passed_over(source: str) -> None:
    with pytest.raises(AssertionError):
        read_markers(source)
