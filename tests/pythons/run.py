"""`make test-pythons`: the chosen tests on the oldest and the newest Python of this machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

# As a script this file has its own folder on the path; its package is found one folder higher.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pythons.interpreters import Interpreter, Survey, choose, survey
from pythons.promise import ROOT, chosen_tests, image_version, read_patterns, supported
from rich.console import Console

# Each Python gets an environment of its own in here, made from the same hash-pinned lock.
_STATE: Final = ROOT / "build" / "pythons"


def main(state: Path = _STATE) -> int:
    """Exit status 0 only if the chosen tests pass on every Python that was chosen.

    Then the file `tested` in `state` has what .ci/run repeats: these Pythons and the warnings.
    Else there is none.
    """
    console = Console(highlight=False, soft_wrap=True)
    state.mkdir(parents=True, exist_ok=True)
    (state / "tested").unlink(missing_ok=True)
    machine = survey(supported(), os.environ, Path.home())
    image = image_version()
    chosen = choose(machine.found, f"{image.major}.{image.minor}")
    cautions = warnings(chosen, f"{image.major}.{image.minor}")
    for line in (*describe(machine, chosen), *cautions):
        console.print(line)
    failed = [one for one in chosen if not _passes(one, state, console)]
    tested = ", ".join(str(one.version) for one in chosen)
    if failed or not chosen:
        console.print(f"failed on: {', '.join(str(one.version) for one in failed) or 'no Python'}")
        return 1
    (state / "tested").write_text("\n".join((tested, *cautions, "")))
    console.print(f"the chosen tests pass on Python {tested}")
    return 0


def describe(machine: Survey, chosen: Sequence[Interpreter]) -> list[str]:
    """What was found, and what of it is tested."""
    lines = [f"found Python {one.version} ({one.path})" for one in machine.found]
    lines += [f"left out {reason}" for reason in machine.left_out]
    lines.append(f"tested here: {', '.join(str(one.version) for one in chosen) or 'nothing'}")
    return lines


def warnings(chosen: Sequence[Interpreter], image: str) -> list[str]:
    """What this machine cannot show; `image` is the minor version that the images have."""
    lines = []
    if len(chosen) == 1:
        lines.append("WARNING: this machine has only one Python, so only one is tested")
    if all(one.minor != image for one in chosen):
        lines.append(f"WARNING: the images have Python {image}, which this machine cannot test")
    return lines


def _passes(python: Interpreter, state: Path, console: Console) -> bool:
    console.rule(f"Python {python.version}")
    # Relative, because make knows no file whose path has a space.
    environment = os.path.relpath(state / str(python.version), ROOT)
    arguments = " ".join(("-q", *chosen_tests(read_patterns())))
    command = [
        shutil.which("make") or "make",
        "test",
        f"VENV={environment}",
        f"PYTHON={python.path}",
        f"UV={shutil.which('uv') or Path(sys.executable).with_name('uv')}",
        f"PYTEST_ARGS={arguments}",
    ]
    # What was said to the make that runs this is not meant for that one.
    inherited = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    return subprocess.run(command, cwd=ROOT, env=inherited, check=False).returncode == 0  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
