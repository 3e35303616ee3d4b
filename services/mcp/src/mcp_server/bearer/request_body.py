"""Reads one JSON-RPC message, bounded in size, depth and time, and strict in form.

What was checked is what the SDK gets: the parsed message is written out anew, so no two parsers can
read the same bytes differently.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, NoReturn

from mcp_types import PARSE_ERROR
from starlette.types import Message, Receive

from mcp_server.bearer.refusals import Refusal, refuse_message

READ_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How long a body may be in bytes, and how deep its message may be nested."""

    max_bytes: int
    max_depth: int


class ClientGone(Exception):
    """The client hung up before its request was complete: there is nobody to answer."""


class BodyReader:
    """Reads one request body, and knows how much of it has come."""

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self.size = 0

    async def read(self, declared_length: int | None) -> bytes:
        """Return the body; raise Refusal or ClientGone."""
        self._refuse_if_over(declared_length or 0)
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await self._read()
        except TimeoutError:
            raise refuse_message(408, "The request body did not arrive in time.") from None

    async def _read(self) -> bytes:
        chunks: list[bytes] = []
        while True:
            event = await self._receive()
            if event["type"] != "http.request":
                raise ClientGone
            chunk = event.get("body", b"")
            self.size += len(chunk)
            self._refuse_if_over(self.size)
            chunks.append(chunk)
            if not event.get("more_body", False):
                return b"".join(chunks)

    def _refuse_if_over(self, size: int) -> None:
        if size > self._max_bytes:
            raise refuse_message(413, f"A request body may have at most {self._max_bytes} bytes.")


def read_length(content_length: str | None) -> int | None:
    """The length that a client declares; None if there is none, or none that can be read."""
    if content_length is None or not content_length.isdecimal():
        return None
    return int(content_length[:20])


def parse_message(body: bytes, max_depth: int) -> dict[str, Any]:
    """Return the one JSON object of a request body; raise Refusal."""
    try:
        message = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _not_json() from None
    if isinstance(message, list):
        # 2025-03-26 had batches, and no revision after it.
        raise refuse_message(400, "A batch is not accepted: send each message by itself.")
    if not _is_message(message):
        raise refuse_message(400, "The body must be one JSON-RPC 2.0 request or notification.")
    # Counting brackets is cheap and clears nearly every message; only a suspect is walked.
    if body.count(b"{") + body.count(b"[") > max_depth and _is_deeper_than(message, max_depth):
        raise refuse_message(400, f"The message is nested deeper than {max_depth} levels.")
    return dict(message)


def write_message(message: dict[str, Any]) -> bytes:
    """Serialize a message that parse_message returned."""
    try:
        text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8")
    except ValueError:  # a number beyond a double, or half of a surrogate pair
        raise _not_json() from None


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a receive channel that yields this body first, then what really happens."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return pending.pop() if pending else await receive()

    return receive_again


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _not_json() -> Refusal:
    return refuse_message(400, "The body is not valid JSON.", code=PARSE_ERROR)


def _is_message(value: Any) -> bool:
    # Checked here because the SDK's older era would quote a malformed message in its answer.
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        return False
    if not isinstance(value.get("method"), str) or not isinstance(value.get("params", {}), dict):
        return False
    identifier = value.get("id", 0)
    return isinstance(identifier, str | int) and not isinstance(identifier, bool)


def _is_deeper_than(message: dict[str, Any], limit: int) -> bool:
    level: list[dict[str, Any] | list[Any]] = [message]
    for _ in range(limit):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: dict[str, Any] | list[Any]) -> list[dict[str, Any] | list[Any]]:
    values = node.values() if isinstance(node, dict) else node
    return [child for child in values if isinstance(child, dict | list)]
