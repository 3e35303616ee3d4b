"""The body of a request: which of the bytes that arrived belong to it."""

from typing import Final

from service_kit.http_protocol.head import (
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    Refused,
    too_many_bytes,
    too_many_fields,
)

# In one chunked body. Each stops the parser, and JSON and forms have none.
MAX_EMPTY_LINES: Final = 1000

_EMPTY_LINE: Final = b"\r\n\r\n"  # with the end of the line before it


class Body:
    """How much of what was received belongs to the body that is being read."""

    def __init__(self, length: int | None) -> None:
        self.bytes_left = length  # None if it is chunked
        # Of a chunked body: what was taken since its last content or field, and its last bytes.
        self.silent_bytes = 0
        self._end = b""
        self._empty_lines = 0
        self._trailer_bytes = self._trailer_fields = 0

    def take(self, received: bytearray) -> bytes:
        """Remove from the front of `received` what cannot belong to another request."""
        size = self._size_of_part(received)
        part = bytes(received[:size])
        del received[:size]
        if self.bytes_left is None:
            end = (self._end + part)[-len(_EMPTY_LINE) :]
            self._empty_lines += end == _EMPTY_LINE
            self._end = end[1 - len(_EMPTY_LINE) :]
            self.silent_bytes += size
        else:
            self.bytes_left -= size
        return part

    def _size_of_part(self, received: bytearray) -> int:
        if self.bytes_left is not None:
            return min(self.bytes_left, len(received))
        # A chunked body ends with an empty line, though not with the first one. The parser does not
        # tell where it ended, so it gets no more than up to the next.
        edge = self._end + received[: len(_EMPTY_LINE) - 1]
        found = edge.find(_EMPTY_LINE)
        if found >= 0:
            return found + len(_EMPTY_LINE) - len(self._end)
        found = received.find(_EMPTY_LINE)
        return len(received) if found < 0 else found + len(_EMPTY_LINE)

    def count_trailer_field(self, name: bytes, value: bytes) -> None:
        """Raise Refused when the trailer section exceeds what a head may have."""
        self.silent_bytes = 0
        self._trailer_fields += 1
        self._trailer_bytes += len(name) + len(value)
        if self._trailer_fields > MAX_FIELDS:
            raise too_many_fields()
        if self._trailer_bytes > MAX_HEAD_BYTES:
            raise too_many_bytes()

    def check_bounds(self) -> None:
        """Raise Refused for a chunk extension or trailer field without end, and for a flood."""
        if self.silent_bytes > MAX_HEAD_BYTES:
            raise too_many_bytes()
        if self._empty_lines > MAX_EMPTY_LINES:
            raise Refused(
                b"400 Bad Request",
                f"A chunked body may have at most {MAX_EMPTY_LINES} empty lines; state its length.",
            )
