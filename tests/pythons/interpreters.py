"""Which Pythons this machine has, and which of them the chosen tests run on."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.specifiers import SpecifierSet
from packaging.version import Version

_NAME: Final = re.compile(r"python3(\.\d+)?")
# Debian's Python comes without ensurepip, and one that was built by hand may lack what it links to.
_QUESTION: Final = """\
import json, sys
missing = []
for name in ("ensurepip", "sqlite3", "ssl", "venv", "zlib"):
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
level, serial = sys.version_info[3:]
version = "%d.%d.%d" % sys.version_info[:3] + ("" if level == "final" else level[0] + str(serial))
print(json.dumps([sys.executable, sys.implementation.name, version, missing]))
"""


@dataclass(frozen=True)
class Interpreter:
    """One Python of this machine."""

    version: Version
    path: Path

    @property
    def minor(self) -> str:
        """As in 3.13."""
        return f"{self.version.major}.{self.version.minor}"


@dataclass(frozen=True)
class Survey:
    """The Pythons that can be tested, oldest first, and why others cannot."""

    found: tuple[Interpreter, ...]
    left_out: tuple[str, ...]


def survey(supported: SpecifierSet, environment: Mapping[str, str], home: Path) -> Survey:
    """Look at every Python on PATH and under pyenv, and at the one that runs this.

    Of several with one version the first on PATH counts.
    """
    found: dict[Version, Interpreter] = {}
    left_out: dict[str, None] = {}
    for path in _candidates(environment, home):
        answer = _ask(path)
        if answer is None:
            continue  # a name that leads nowhere, such as a shim of pyenv that is not switched on
        executable, implementation, version, missing = answer
        if reason := _unfit(implementation, version, missing, supported):
            left_out[f"{implementation} {version}: {reason}"] = None
        else:
            found.setdefault(version, Interpreter(version, executable))
    return Survey(tuple(found[version] for version in sorted(found)), tuple(left_out))


def choose(found: Iterable[Interpreter], image: str) -> tuple[Interpreter, ...]:
    """The oldest, the newest, and the newest of the minor version that the images have."""
    ordered = sorted(found, key=lambda one: one.version)
    of_the_image = [one for one in ordered if one.minor == image]
    chosen = {one.version: one for one in (*ordered[:1], *of_the_image[-1:], *ordered[-1:])}
    return tuple(chosen[version] for version in sorted(chosen))


def _candidates(environment: Mapping[str, str], home: Path) -> Iterator[Path]:
    for folder in environment.get("PATH", "").split(":"):
        if folder:
            yield from sorted(
                path for path in Path(folder).glob("python3*") if _NAME.fullmatch(path.name)
            )
    pyenv = Path(environment.get("PYENV_ROOT") or home / ".pyenv")
    yield from sorted(pyenv.glob("versions/*/bin/python3"))
    yield Path(sys.base_prefix, "bin", "python3")


def _ask(path: Path) -> tuple[Path, str, Version, list[str]] | None:
    try:
        asked = subprocess.run(  # noqa: S603  # a Python of this machine
            [path, "-I", "-c", _QUESTION], capture_output=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    executable, implementation, version, missing = json.loads(asked.stdout)
    return Path(executable), implementation, Version(version), missing


def _unfit(
    implementation: str, version: Version, missing: list[str], supported: SpecifierSet
) -> str | None:
    if implementation != "cpython" or version.is_prerelease or version not in supported:
        return f"not a final release of CPython {supported}"
    return f"it lacks {', '.join(missing)}" if missing else None
