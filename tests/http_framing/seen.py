"""A request as a server saw it, and what it means to see no more than another server does."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_ABSOLUTE = re.compile(rb"\A[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


@dataclass(slots=True)
class Seen:
    """`body` is what came of it. `fields` are those of the head, by lower-case name, in order."""

    method: bytes
    target: bytes
    body: bytes = b""
    is_whole: bool = False
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)

    def __repr__(self) -> str:
        whole = "" if self.is_whole else ", unfinished"
        return f"<{self.method!r} {self.target!r}, body {bytes(self.body)!r}{whole}>"


def origin_form(target: bytes) -> bytes:
    """The path and query of a target, which may be in absolute-form (RFC 9112 section 3.2)."""
    rest = _ABSOLUTE.sub(b"", target)
    if rest != target and not rest.startswith(b"/"):
        rest = b"/" + rest
    # An application is not told whether an empty query is one.
    return rest.removesuffix(b"?")


def is_no_more_than(ours: Sequence[Seen], theirs: Sequence[Seen]) -> bool:
    """Whether they saw each request that we saw, in our order, as the same one.

    Our last one may have been broken off earlier than theirs.
    """
    return len(ours) <= len(theirs) and all(map(_is_same, ours, theirs))


def _is_same(ours: Seen, theirs: Seen) -> bool:
    if (ours.method, ours.target) != (theirs.method, theirs.target):
        return False
    if ours.is_whole:
        return theirs.is_whole and ours.body == theirs.body
    return theirs.body.startswith(ours.body) or ours.body.startswith(theirs.body)
