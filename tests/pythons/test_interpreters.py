"""Which Pythons are found and chosen, with machines that are folders of scripts."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from pythons.interpreters import Interpreter, Survey, choose, survey
from pythons.run import describe, warnings

SUPPORTED = SpecifierSet(">=3.11.2,!=3.12.0")
AddPython = Callable[..., Path]


@pytest.fixture
def add_python(tmp_path: Path) -> AddPython:
    """Put a program that answers as a Python of this version does where the test says."""

    def add(where: str, version: str, kind: str = "cpython", lacks: Iterable[str] = ()) -> Path:
        file = tmp_path / where
        file.parent.mkdir(parents=True, exist_ok=True)
        answer = json.dumps([str(file), kind, version, list(lacks)])
        file.write_text(f"#!/bin/sh\necho '{answer}'\n")
        file.chmod(0o755)
        return file

    return add


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Survey]:
    """Survey the machine whose PATH is `bin` and whose home is `home`, and that runs no other."""
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "nowhere"))
    return lambda: survey(SUPPORTED, {"PATH": str(tmp_path / "bin")}, tmp_path / "home")


def pythons(*versions: str) -> tuple[Interpreter, ...]:
    return tuple(Interpreter(Version(version), Path("/python")) for version in versions)


def versions(found: Iterable[Interpreter]) -> list[str]:
    return [str(one.version) for one in found]


def test_pythons_on_the_path_and_under_pyenv_are_found_oldest_first(
    add_python: AddPython, look: Callable[[], Survey]
) -> None:
    add_python("home/.pyenv/versions/3.13.0/bin/python3", "3.13.0")
    add_python("home/.pyenv/versions/3.12.1/bin/python3", "3.12.1")
    add_python("bin/python3.11", "3.11.2")
    assert versions(look().found) == ["3.11.2", "3.12.1", "3.13.0"]


def test_the_tenth_patch_release_is_newer_than_the_ninth(
    add_python: AddPython, look: Callable[[], Survey]
) -> None:
    add_python("home/.pyenv/versions/3.13.9/bin/python3", "3.13.9")
    add_python("home/.pyenv/versions/3.13.10/bin/python3", "3.13.10")
    assert versions(look().found) == ["3.13.9", "3.13.10"]


def test_two_of_one_version_are_one_python_the_first_on_the_path(
    add_python: AddPython, look: Callable[[], Survey]
) -> None:
    first = add_python("bin/python3", "3.13.0")
    add_python("home/.pyenv/versions/3.13.0/bin/python3", "3.13.0")
    assert [one.path for one in look().found] == [first]


def test_the_python_that_runs_the_survey_is_found_wherever_it_is(
    add_python: AddPython,
    look: Callable[[], Survey],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_python("elsewhere/bin/python3", "3.12.1")
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "elsewhere"))
    assert versions(look().found) == ["3.12.1"]


@pytest.mark.parametrize(
    ("version", "kind"),
    [("3.10.13", "cpython"), ("3.12.0", "cpython"), ("3.14.0rc1", "cpython"), ("3.11.7", "pypy")],
)
def test_a_python_that_the_packages_refuse_is_left_out_and_named(
    add_python: AddPython, look: Callable[[], Survey], version: str, kind: str
) -> None:
    add_python("bin/python3", version, kind)
    machine = look()
    assert machine.found == ()
    assert [reason.partition(":")[0] for reason in machine.left_out] == [f"{kind} {version}"]


def test_a_python_that_cannot_make_an_environment_is_left_out_with_what_it_lacks(
    add_python: AddPython, look: Callable[[], Survey]
) -> None:
    add_python("bin/python3", "3.11.2", lacks=["ensurepip"])
    assert look() == Survey((), ("cpython 3.11.2: it lacks ensurepip",))


def test_a_name_that_starts_nothing_is_no_python(
    add_python: AddPython, look: Callable[[], Survey]
) -> None:
    add_python("bin/python3", "3.11.7").write_text("#!/bin/sh\nexit 127\n")
    add_python("bin/python3.12", "3.12.1").chmod(0o644)
    add_python("bin/python3-config", "3.13.0")
    assert look() == Survey((), ())


def test_this_machine_has_the_python_that_runs_this_test() -> None:
    found = survey(SUPPORTED, {}, Path("/nowhere")).found
    assert versions(found) == ["{}.{}.{}".format(*sys.version_info[:3])]


def test_the_oldest_the_newest_and_the_one_of_the_images_are_tested() -> None:
    machine = pythons("3.11.2", "3.11.7", "3.12.1", "3.13.0", "3.13.5", "3.14.2")
    assert versions(choose(machine, "3.13")) == ["3.11.2", "3.13.5", "3.14.2"]
    assert versions(choose(machine, "3.14")) == ["3.11.2", "3.14.2"]


def test_what_is_tested_is_said() -> None:
    machine = Survey(pythons("3.11.2", "3.12.1", "3.13.0"), ("cpython 3.10.13: too old",))
    said = describe(machine, choose(machine.found, "3.13"))
    assert said[3:] == ["left out cpython 3.10.13: too old", "tested here: 3.11.2, 3.13.0"]


def test_two_pythons_of_which_the_images_have_one_are_nothing_to_warn_of() -> None:
    assert warnings(choose(pythons("3.11.2", "3.13.0"), "3.13"), "3.13") == []


def test_a_single_python_does_not_pass_for_two() -> None:
    assert warnings(choose(pythons("3.13.0"), "3.13"), "3.13") == [
        "WARNING: this machine has only one Python, so only one is tested"
    ]


def test_a_machine_without_the_python_of_the_images_says_so() -> None:
    assert warnings(choose(pythons("3.11.7", "3.12.1"), "3.13"), "3.13") == [
        "WARNING: the images have Python 3.13, which this machine cannot test"
    ]
