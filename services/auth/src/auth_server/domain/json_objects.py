"""JSON from strangers (RFC 8259), in which no two readers see different things."""

import json
import math
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 16


class NotAnObject(ValueError):
    """The bytes are not one JSON object. The text says why, and holds nothing of them."""


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Return the object in a body; raise NotAnObject.

    UTF-8 without a mark, every member once, numbers that a double holds, a bounded depth.
    """
    try:
        document = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_each_once,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError):
        # Also for a member that is there twice: which one counts differs from reader to reader.
        raise NotAnObject("not JSON, or a member is there twice") from None
    if not isinstance(document, dict):
        raise NotAnObject("not a JSON object")
    if _is_deeper_than(MAX_DEPTH, document):
        raise NotAnObject("nested too deeply")
    return document


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("no double holds this number")
    return number


def _is_deeper_than(levels: int, value: object) -> bool:
    inside: list[object]
    if isinstance(value, dict):
        inside = list(value.values())
    elif isinstance(value, list):
        inside = value
    else:
        return False
    return levels == 0 or any(_is_deeper_than(levels - 1, one) for one in inside)
