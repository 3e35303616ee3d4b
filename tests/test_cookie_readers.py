"""Only `service_kit.cookies` reads cookies: no library's lenient parser decides about anything."""

import ast
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_SOURCES = sorted(
    path
    for folder in ("services", "libs", "dev")
    for path in (_ROOT / folder).rglob("src/**/*.py")
    if path != _ROOT / "libs/service-kit/src/service_kit/cookies.py"
)
_PARSERS = {"cookies", "cookie_parser", "SimpleCookie", "BaseCookie", "Cookie", "cookie_params"}


def readers_in(source: str) -> set[str]:
    """The names in a program by which a library parses cookies."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found |= {node.attr} & _PARSERS
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.name.rpartition(".")[2] for alias in node.names} & _PARSERS
    return found


@pytest.mark.parametrize(
    "program",
    [
        "value = request.cookies.get('a')",
        "from fastapi import Cookie",
        "from http.cookies import SimpleCookie",
        "import http.cookies",
        "from starlette.requests import cookie_parser",
    ],
)
def test_a_lenient_reader_would_be_found(program: str) -> None:
    assert readers_in(program)


def test_no_service_reads_cookies_by_a_lenient_parser() -> None:
    assert len(_SOURCES) > 200
    for path in _SOURCES:
        assert not readers_in(path.read_text()), path
