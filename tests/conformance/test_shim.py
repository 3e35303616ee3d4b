"""The shim adds a handle and changes nothing else."""

from typing import Any

from conformance.shim import BearerShim
from starlette.types import Message


async def test_a_request_arrives_as_it_was_sent_with_one_header_more() -> None:
    sent = [(b"host", b"evil.example.com"), (b"mcp-name", b"a"), (b"mcp-name", b"b ")]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": sent}
    arrived: list[Any] = []

    async def app(*request: Any) -> None:
        arrived.extend(request)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        return None

    await BearerShim(app, "mcpat_x")(scope, receive, send)
    headers = [*sent, (b"authorization", b"Bearer mcpat_x")]
    assert arrived == [{**scope, "headers": headers}, receive, send]
