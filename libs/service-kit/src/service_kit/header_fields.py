"""Header fields read strictly, from their bytes (RFC 9110 5.5).

As text they are latin-1, and Python then strips U+0085 and U+00A0 as white space: no other program
does. Where two lines of one field could count, neither does.
"""

import re
from collections.abc import Iterable
from typing import Final

RawHeaders = Iterable[tuple[bytes, bytes]]

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE: Final = re.compile(rb"[ \t]*(" + _TOKEN + rb"/" + _TOKEN + rb")[ \t]*(?:;.*)?")


def field_lines(headers: RawHeaders, name: bytes) -> list[bytes]:
    """The values of all lines of a field, as they were sent. `name` is in lower case."""
    return [value for field, value in headers if field.lower() == name]


def media_type(headers: RawHeaders) -> str | None:
    """The media type of a body, in lower case and without parameters (RFC 9110 8.3.1).

    None if Content-Type is absent, repeated or malformed.
    """
    lines = field_lines(headers, b"content-type")
    match = _MEDIA_TYPE.fullmatch(lines[0]) if len(lines) == 1 else None
    return None if match is None else match[1].decode("ascii").lower()
