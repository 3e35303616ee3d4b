"""A framework that would read a request's cookies, and says so loudly."""

import pytest

# Our own reader takes no notice of it; a library that parses cookies may fall for one of them.
COOKIE = {"Cookie": 'a="\\123\\\\"; $Version=1; a="' + "\\" * 1_000 + '"'}


def forbid_cookie_parsers(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a request whose cookies a library parses fails."""

    def parse(_cookies: str) -> dict[str, str]:
        raise AssertionError("a library parses the cookies of this request")

    monkeypatch.setattr("starlette.requests.cookie_parser", parse)
