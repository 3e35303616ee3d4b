"""Which Pythons the packages, the images and the chosen tests speak of, read from where they do."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT: Final = Path(__file__).resolve().parents[2]
DOCKERFILES: Final = tuple(
    sorted((*ROOT.glob("services/*/Dockerfile"), *ROOT.glob("dev/*/Dockerfile")))
)
_CLASSIFIER: Final = "Programming Language :: Python :: "
_BASE_IMAGE: Final = re.compile(r"^ARG BASE_IMAGE=python:(\d+\.\d+\.\d+)-slim$", re.MULTILINE)


def project(folder: Path = ROOT) -> dict[str, Any]:
    """The table [project] of a folder's pyproject.toml."""
    metadata: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return metadata


def supported() -> SpecifierSet:
    """The releases of Python that a package accepts."""
    return SpecifierSet(project()["requires-python"])


def promised_minors() -> tuple[str, ...]:
    """The minor versions that we promise, as in 3.13, oldest first."""
    classifiers: list[str] = project()["classifiers"]
    return tuple(sorted((line.removeprefix(_CLASSIFIER) for line in classifiers), key=Version))


def least_releases() -> list[Version]:
    """The first release of each promised minor version that the packages accept."""
    accepted = supported()
    return [
        next(Version(f"{minor}.{patch}") for patch in range(100) if f"{minor}.{patch}" in accepted)
        for minor in promised_minors()
    ]


def image_version(dockerfiles: Iterable[Path] = DOCKERFILES) -> Version:
    """The one release of Python that all Dockerfiles are built on unless they are told otherwise.

    ValueError if they name several, or one of them names no whole version.
    """
    versions = set()
    for file in dockerfiles:
        named = _BASE_IMAGE.search(file.read_text())
        if named is None:
            raise ValueError(f"{file} names no base image python:X.Y.Z-slim")
        versions.add(Version(named[1]))
    if len(versions) != 1:
        raise ValueError(f"the Dockerfiles name several Pythons: {_listed(versions)}")
    return versions.pop()


def chosen_tests(patterns: dict[str, list[str]], root: Path = ROOT) -> tuple[str, ...]:
    """The files that the patterns of all topics name, each once.

    A pattern that names no file raises ValueError: what it stood for would go untested unnoticed.
    """
    chosen: dict[str, None] = {}
    for topic, globs in patterns.items():
        for pattern in globs:
            files = sorted(root.glob(pattern))
            if not files:
                raise ValueError(f"{topic}: no file is called {pattern}")
            chosen |= dict.fromkeys(str(file.relative_to(root)) for file in files)
    return tuple(chosen)


def read_patterns() -> dict[str, list[str]]:
    """The patterns of chosen.toml by their topics."""
    patterns: dict[str, list[str]] = tomllib.loads(
        Path(__file__).with_name("chosen.toml").read_text()
    )
    return patterns


def _listed(versions: Iterable[Version]) -> str:
    return ", ".join(str(version) for version in sorted(versions))
