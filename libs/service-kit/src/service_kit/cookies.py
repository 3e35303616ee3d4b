"""Cookies, read strictly from the bytes that the browser sent (RFC 6265 4.2.1).

Frameworks read them leniently: they strip characters that no browser strips, undo quoting, and let
the last of two win. A host next to ours can then set a cookie that only they take for ours. And
they read them for every request, in time that some Pythons make quadratic (CVE-2024-7592).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

_COOKIE: Final = b"cookie"
_LINES: Final = "service_kit.cookie_lines"
_WHITE_SPACE: Final = b" \t"  # SP and HTAB, and nothing else that Python calls white space


class CookiesApart:
    """Pure ASGI middleware: moves the Cookie lines out of the headers to where cookie_value looks.

    To be the outermost layer of every application, so that no framework has cookies to parse.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on without its Cookie lines."""
        if scope["type"] == "http":
            headers = scope["headers"]
            lines = [value for name, value in headers if name == _COOKIE]
            if lines:
                headers = [header for header in headers if header[0] != _COOKIE]
            scope = {**scope, "headers": headers, _LINES: lines}
        await self._app(scope, receive, send)


def cookie_value(scope: Mapping[str, Any], name: bytes) -> bytes | None:
    """The value of the one cookie of exactly this name, as it was sent; None if there is none.

    A name that occurs twice, in one line or in several, is none: nobody can tell which of the two
    is ours. Takes time linear in the length of the lines. The application must be in CookiesApart.
    """
    found = [value for line in scope[_LINES] for value in _values(line, name + b"=")]
    return found[0] if len(found) == 1 else None


def cookie_values(scope: Mapping[str, Any], prefix: bytes) -> dict[bytes, bytes]:
    """The values of the cookies whose names begin with the prefix, by the rest of their names.

    As cookie_value: one that occurs twice is left out.
    """
    found: dict[bytes, bytes] = {}
    repeated: set[bytes] = set()
    for line in scope[_LINES]:
        for rest in _values(line, prefix):
            name, equals, value = rest.partition(b"=")
            if equals and name in found:
                repeated.add(name)
            elif equals:
                found[name] = value
    return {name: value for name, value in found.items() if name not in repeated}


def _values(line: bytes, marker: bytes) -> Iterator[bytes]:
    # Looks for the name instead of splitting: a line may be made of nothing but semicolons.
    begin = 0
    while (start := line.find(marker, begin)) >= 0:
        begin = max(begin, line.rfind(b";", begin, start) + 1)
        end = line.find(b";", start)
        pair = line[begin:] if end < 0 else line[begin:end]
        pair = pair.strip(_WHITE_SPACE)
        if pair.startswith(marker):
            yield pair.removeprefix(marker)
        if end < 0:
            return
        begin = end + 1
