"""Every file that says which Pythons we support says the same."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version
from pythons.promise import (
    ROOT,
    chosen_tests,
    image_version,
    least_releases,
    project,
    promised_minors,
    read_patterns,
    supported,
)

MEMBERS = [
    file.parent
    for group in ("services", "libs", "dev")
    for file in sorted(ROOT.glob(f"{group}/*/pyproject.toml"))
]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_package_accepts_the_same_releases() -> None:
    assert len(MEMBERS) == 5
    accepted = {project(folder)["requires-python"] for folder in MEMBERS}
    assert accepted == {project()["requires-python"]}


@pytest.mark.parametrize(
    "version",
    ["2.7.18", "3.10.19", "3.11.0", "3.11.1", "3.11.2", "3.11.14", "3.12.0", "3.12.1", "3.13.0"],
)
def test_make_refuses_exactly_the_releases_that_the_packages_refuse(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (program,) = re.findall(r"\$\(PYTHON\) -c '([^']+)'", read("Makefile"))
    monkeypatch.setattr(sys, "version_info", (*Version(version).release, "final", 0))
    with pytest.raises(SystemExit) as ended:
        exec(program, {})  # noqa: S102  # the Makefile's own program
    assert ended.value.code is (version not in supported())


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "Makefile"])
def test_what_people_read_names_the_least_release(name: str) -> None:
    least = least_releases()[0]
    assert re.findall(r"Python (3\.[\d.]*\d) or newer", read(name)) == [str(least)]


def test_contributing_lists_the_promised_minor_versions_with_their_least_releases() -> None:
    rows = re.findall(r"^\| (3\.\d+) \| (3\.\d+\.\d+) \|", read("CONTRIBUTING.md"), re.MULTILINE)
    assert [minor for minor, _ in rows] == list(promised_minors())
    assert [Version(least) for _, least in rows] == least_releases()


def test_the_gates_and_the_locks_are_made_for_the_least_release() -> None:
    tools = tomllib.loads(read("pyproject.toml"))["tool"]
    least = least_releases()[0]
    assert tools["mypy"]["python_version"] == f"{least.major}.{least.minor}"
    assert tools["ruff"]["target-version"] == f"py{least.major}{least.minor}"
    assert re.findall(r"--python-version (\S+)", read("Makefile")) == [str(least)]


def test_the_images_have_a_python_that_we_promise_and_whose_tests_are_chosen() -> None:
    image = image_version()
    assert f"{image.major}.{image.minor}" in promised_minors()
    assert image in supported()


def test_the_files_of_compose_build_on_the_python_of_the_dockerfiles() -> None:
    named = re.findall(r"python:(3[\w.-]*)", read("docker-compose.yml"))
    assert named == [f"{image_version()}-slim"]
    assert "python:3" not in read("deploy/compose-test")


def test_dockerfiles_that_name_different_pythons_are_noticed(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "two")]
    for file, version in zip(files, ("3.13.16", "3.13.15"), strict=True):
        file.write_text(f"ARG BASE_IMAGE=python:{version}-slim\n")
    with pytest.raises(ValueError, match=r"3\.13\.15, 3\.13\.16"):
        image_version(files)


@pytest.mark.parametrize("image", ["python:3.13-slim", "python:3-slim", "debian:trixie-slim"])
def test_a_dockerfile_without_a_whole_version_of_python_is_noticed(
    image: str, tmp_path: Path
) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(f"ARG BASE_IMAGE={image}\n")
    with pytest.raises(ValueError, match="Dockerfile"):
        image_version([file])


def test_the_chosen_tests_exist_and_each_topic_has_some() -> None:
    patterns = read_patterns()
    assert patterns.keys() == {"tls", "cookies", "urls", "http", "storage"}
    for topic, globs in patterns.items():
        assert chosen_tests({topic: globs}), topic
    chosen = chosen_tests(patterns)
    assert len(set(chosen)) == len(chosen)
    assert all(Path(name).name.startswith("test_") for name in chosen)


def test_a_pattern_that_names_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="cookies: no file is called services/auth/gone"):
        chosen_tests({"cookies": ["services/auth/gone_*.py"]})
