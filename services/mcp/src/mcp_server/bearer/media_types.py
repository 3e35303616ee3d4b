"""JSON in and JSON out: what the body is written in, and what the client says that it reads."""

import re
from typing import Final

from starlette.datastructures import Headers

from mcp_server.bearer.refusals import refuse_message
from service_kit.header_fields import field_lines, media_type

_JSON: Final = "application/json"
# From the most to the least specific: the first of these that is there decides.
_RANGES_WITH_JSON: Final = (_JSON, "application/*", "*/*")
_NOT_ACCEPTABLE: Final = re.compile(r";[ \t]*q=0(\.0{0,3})?[ \t]*(;|\Z)", re.IGNORECASE)


def check_media_types(headers: Headers) -> None:
    """Raise Refusal unless the body is plain JSON and the client reads JSON."""
    if media_type(headers.raw) != _JSON:
        raise refuse_message(415, "The body must be application/json.")
    # Nothing is unpacked here: a small body that becomes a large one is nobody's honest message.
    encodings = field_lines(headers.raw, b"content-encoding")
    if any(encoding.strip(b" \t").lower() != b"identity" for encoding in encodings):
        accepted = {"Accept-Encoding": "identity"}  # RFC 9110 15.5.16
        raise refuse_message(415, "The body must not be compressed.", headers=accepted)
    if not _accepts_json(",".join(headers.getlist("accept"))):
        raise refuse_message(406, "Every answer is application/json, which Accept leaves out.")


def _accepts_json(accept: str) -> bool:
    """Tell whether an answer may be JSON; who says nothing takes anything (RFC 9110 12.5.1)."""
    ranges = {_range(part): part for part in accept.split(",") if part.strip(" \t")}
    deciding = next((ranges[name] for name in _RANGES_WITH_JSON if name in ranges), None)
    if deciding is None:
        return not ranges
    return _NOT_ACCEPTABLE.search(deciding) is None


def _range(part: str) -> str:
    return part.partition(";")[0].strip(" \t").lower()
