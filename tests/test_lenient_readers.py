"""No library's lenient reading of a request decides about anything in the services.

Only `service_kit.cookies` reads cookies. And nobody asks the framework for the request's URL, which
it makes of the Host header, and which it cannot make of a query with a raw byte.
"""

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


def urls_in(source: str) -> set[str]:
    """Where a program asks the framework for the URL of a request."""
    return {
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and node.attr in {"url", "base_url", "url_for"}
        and isinstance(node.value, ast.Name)
        and node.value.id in {"request", "_request"}
    }


def test_no_service_asks_the_framework_for_the_url_of_a_request() -> None:
    assert urls_in("path = request.url.path") == {"request.url"}
    for path in _SOURCES:
        assert not urls_in(path.read_text()), path
