"""docs/clients.md names tests that are there, and the releases that are run."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")


def test_every_test_that_it_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+\.py)`", TEXT))
    assert named
    assert named <= {file.name for file in (ROOT / "tests" / "e2e" / "clients").glob("test_*.py")}


def test_the_releases_that_it_names_are_those_of_the_lock() -> None:
    manifest = (ROOT / "tests" / "real_clients" / "npm" / "package.json").read_text("utf-8")
    for package, version in json.loads(manifest)["dependencies"].items():
        assert f"`{package}` {version}" in TEXT
