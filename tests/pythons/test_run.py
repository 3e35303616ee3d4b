"""`make test-pythons` on a machine of two Pythons, with a make that notes what it is told."""

from pathlib import Path

import pytest
from packaging.version import Version
from pythons import run
from pythons.interpreters import Interpreter, Survey
from pythons.promise import chosen_tests, read_patterns

OLD, NEW = (
    Interpreter(Version(version), Path("/old", version)) for version in ("3.11.2", "3.13.0")
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What make was told, a line a run. It fails for each Python that a file `broken` names."""
    monkeypatch.setattr(run, "survey", lambda *_: Survey((OLD, NEW), ()))
    told, make = tmp_path / "told", tmp_path / "bin" / "make"
    make.parent.mkdir()
    make.write_text(
        f"#!/bin/sh\necho \"$MAKEFLAGS$*\" >> '{told}'\n"
        f"case \"$*\" in *PYTHON=$(cat '{tmp_path}/broken')\\ *) exit 2;; esac\n"
    )
    make.chmod(0o755)
    (tmp_path / "broken").write_text("none")
    monkeypatch.setenv("PATH", f"{make.parent}:/usr/bin:/bin")
    monkeypatch.setenv("MAKEFLAGS", "VENV=elsewhere")
    return told


def test_each_python_gets_an_environment_of_its_own_and_all_chosen_tests(
    told: Path, state: Path
) -> None:
    assert run.main(state) == 0
    lines = told.read_text().splitlines()
    files = " ".join(chosen_tests(read_patterns()))
    for line, python in zip(lines, (OLD, NEW), strict=True):
        assert line.startswith("test VENV=")
        assert line.split()[1].endswith(f"/state/{python.version}")
        assert f"PYTHON={python.path}" in line.split()
        assert line.endswith(f"PYTEST_ARGS=-q {files}")


def test_what_was_tested_is_left_for_the_report_of_ci(told: Path, state: Path) -> None:
    assert run.main(state) == 0
    assert told.exists()
    assert (state / "tested").read_text() == "3.11.2, 3.13.0\n"


def test_the_report_of_ci_says_that_only_one_python_was_tested(
    told: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "survey", lambda *_: Survey((NEW,), ()))
    assert run.main(state) == 0
    assert len(told.read_text().splitlines()) == 1
    tested, warning = (state / "tested").read_text().splitlines()
    assert tested == "3.13.0"
    assert "only one Python" in warning


def test_one_python_that_fails_fails_the_run_and_the_other_is_tested_nevertheless(
    told: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(state) == 0
    told.with_name("broken").write_text(str(OLD.path))
    assert run.main(state) == 1
    assert len(told.read_text().splitlines()) == 4
    assert "failed on: 3.11.2\n" in capsys.readouterr().out
    assert not (state / "tested").exists()


def test_a_machine_without_a_python_that_we_support_fails_the_run(
    told: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "survey", lambda *_: Survey((), ()))
    assert run.main(state) == 1
    assert not told.exists()
    assert not (state / "tested").exists()
