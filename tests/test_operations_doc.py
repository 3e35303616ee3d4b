"""docs/operations.md names every metric that the services have, and no other."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_REGISTERED = re.compile(r'(?:Counter|Gauge|Histogram)\(\s*"([a-z_]+)"')
_DOCUMENTED = re.compile(r"^\| `([a-z_]+)(?:\{[a-z,]+\})?` \|", re.MULTILINE)


def test_the_tables_of_metrics_are_those_of_the_code() -> None:
    sources = [*_ROOT.glob("services/*/src/**/*.py"), *_ROOT.glob("libs/*/src/**/*.py")]
    registered = {name for file in sources for name in _REGISTERED.findall(file.read_text())}
    text = (_ROOT / "docs/operations.md").read_text()
    tables = [part for part in text.split("\n\n") if part.startswith("| metric |")]
    documented = [name for table in tables for name in _DOCUMENTED.findall(table)]
    assert sorted(documented) == sorted(registered)
