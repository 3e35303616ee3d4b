"""The headers that repeat the body (MCP 2026-07-28, Streamable HTTP): once, known, and readable.

The version is compared with the body here, because the SDK picks the era by that header alone. It
compares the others itself; nothing here decides by a header what the body has to say.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mcp.shared.inbound import decode_header_value
from mcp_types import PROTOCOL_VERSION_META_KEY, UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.jsonrpc import HEADER_MISMATCH
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.types import Scope

from mcp_server.bearer.refusals import refuse_message

_VERSION = "mcp-protocol-version"
# Two readers of a repeated header may pick different copies; each of these decides something.
_SINGLE = (_VERSION, "mcp-method", "mcp-name", "content-type", "content-length")
_SUPPORTED_VERSIONS = [*MODERN_PROTOCOL_VERSIONS, *reversed(HANDSHAKE_PROTOCOL_VERSIONS)]


def refuse_repeated(headers: Headers) -> None:
    """Raise Refusal if a header that decides something appears more than once."""
    for name in _SINGLE:
        if len(headers.getlist(name)) > 1:
            raise refuse_message(400, f"{name} appears more than once.", code=HEADER_MISMATCH)


def check_version(message: dict[str, Any], headers: Headers) -> None:
    """Raise Refusal unless the header is the body's version, if that names one, and is served.

    A message of the newer era would otherwise be served as one of the older, where nobody is asked
    before a todo is deleted. A client that speaks neither era is told the versions of both: the SDK
    would name the modern ones only, and such a client would not fall back.
    """
    requested = headers.get(_VERSION)
    meta = message.get("params", {}).get("_meta")
    named = isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta
    if named and (requested is None or meta[PROTOCOL_VERSION_META_KEY] != requested):
        raise refuse_message(
            400,
            "MCP-Protocol-Version is not the protocol version in _meta.",
            code=HEADER_MISMATCH,
            request_id=message.get("id"),
        )
    if requested is None or requested in _SUPPORTED_VERSIONS:
        return
    raise refuse_message(
        400,
        "Unsupported protocol version",
        code=UNSUPPORTED_PROTOCOL_VERSION,
        data={"supported": _SUPPORTED_VERSIONS, "requested": requested},
        request_id=message.get("id"),
    )


def with_plain_headers(scope: Scope) -> Scope:
    """Return the scope with Mcp-Method decoded, Host in lower case, and the Accept of every client.

    The SDK decodes Mcp-Name only, and an encoded method would be a mismatch although it is none.
    It compares Host by letter, which has no case (RFC 9110 4.2.3). What a client accepts was
    decided before (see media_types); the SDK would refuse one that does not say.
    """
    headers = [
        (name, _PLAIN[name](value)) if name in _PLAIN else (name, value)
        for name, value in scope["headers"]
        if name != b"accept"
    ]
    return {**scope, "headers": [*headers, _ACCEPT]}


def _decoded(value: bytes) -> bytes:
    if not value.startswith(b"=?"):
        return value
    decoded = decode_header_value(value.decode("latin-1"))
    # Every method there is has an ASCII name; what cannot be one stays as it is, a mismatch.
    return decoded.encode("ascii") if decoded is not None and decoded.isascii() else value


_ACCEPT = (b"accept", b"application/json, text/event-stream")
_PLAIN: Mapping[bytes, Callable[[bytes], bytes]] = {b"mcp-method": _decoded, b"host": bytes.lower}
