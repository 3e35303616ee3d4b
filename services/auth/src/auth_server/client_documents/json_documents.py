"""JSON from strangers: one object, each member once, not deep, numbers that are numbers."""

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from auth_server.client_documents.documents import DocumentUnavailable

MAX_DEPTH: Final = 16


def parse_document(body: bytes) -> Mapping[str, Any]:
    """Return the object in a body; raise DocumentUnavailable, which says nothing of the body."""
    try:
        document = json.loads(
            body.decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        # Also for a member that is there twice: which one counts differs from reader to reader.
        raise DocumentUnavailable("the answer is not the JSON that is expected") from None
    if not isinstance(document, dict):
        raise DocumentUnavailable("the answer is not a JSON object")
    if _is_deeper_than(MAX_DEPTH, document):
        raise DocumentUnavailable("the answer is nested too deeply")
    return document


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")


def _is_deeper_than(levels: int, value: object) -> bool:
    inside: list[object]
    if isinstance(value, dict):
        inside = list(value.values())
    elif isinstance(value, list):
        inside = value
    else:
        return False
    return levels == 0 or any(_is_deeper_than(levels - 1, one) for one in inside)
