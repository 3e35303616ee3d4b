"""Reads server-sent events (HTML Living Standard 9.2.6), every line bounded."""

from collections.abc import Iterator
from dataclasses import dataclass

MAX_LINE_BYTES = 4096
MAX_DATA_LENGTH = 8192


class MalformedStream(Exception):
    """What arrived is no event stream of ours. The text says why, and quotes nothing."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event: its type, and its data lines joined by line feeds."""

    name: str
    data: str


class EventStreamParser:
    """Turns chunks into events; comments, and fields that mean nothing to us, are passed over."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that this chunk completes; raise MalformedStream."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            event = self._take(line.removesuffix(b"\r"))
            if event is not None:
                yield event
        if len(self._rest) > MAX_LINE_BYTES:
            raise MalformedStream("a line is too long")

    def _take(self, line: bytes) -> ServerSentEvent | None:
        if len(line) > MAX_LINE_BYTES:
            raise MalformedStream("a line is too long")
        if not line:
            return self._dispatch()
        try:
            name, _, value = line.decode("utf-8").partition(":")
        except UnicodeDecodeError:
            raise MalformedStream("a line is not UTF-8") from None
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
            if sum(map(len, self._data)) + len(self._data) > MAX_DATA_LENGTH:
                raise MalformedStream("an event is too long")
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        name, data = self._name, self._data
        self._name, self._data = "", []
        # An event without data is none (9.2.6); a comment alone is a heartbeat of ours.
        return ServerSentEvent(name or "message", "\n".join(data)) if data else None
