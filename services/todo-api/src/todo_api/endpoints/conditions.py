"""Entity tags and If-Match (RFC 9110 sections 8.8.3 and 13.1.1)."""

import re

from fastapi import Request

from service_kit.errors import Problem
from todo_api.todos import Todo

MAX_ENTITY_TAGS = 32

_ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_ENTITY_TAGS = re.compile(rf"[ \t,]*{_ENTITY_TAG}(?:[ \t]*,[ \t,]*{_ENTITY_TAG})*[ \t,]*")
# Only tags that we could have made: a strong one around a version that fits a 64-bit integer.
_OUR_TAG = re.compile(r'(?<!W/)"([1-9][0-9]{0,17})"')


def etag(todo: Todo) -> str:
    """Return the todo's strong entity tag."""
    return f'"{todo.version}"'


def versions_wanted(request: Request) -> frozenset[int] | None:
    """Return the versions that If-Match accepts, None for any; raise a 400 problem."""
    values = request.headers.getlist("if-match")
    if not values:
        return None
    value = ", ".join(values)
    if value.strip(" \t") == "*":
        return None
    if value.count('"') > 2 * MAX_ENTITY_TAGS or not _ENTITY_TAGS.fullmatch(value):
        raise Problem(
            400,
            "invalid-if-match",
            f"If-Match must be * or a list of at most {MAX_ENTITY_TAGS} entity tags",
        )
    return frozenset(int(version) for version in _OUR_TAG.findall(value))
