"""Admits a request to the SDK's application, or refuses it, in one fixed order.

Host and Origin, method, ambiguous headers, handle, body, protocol version, scope of the tool.
Pure ASGI: the SDK cannot set a status or a challenge from inside a JSON-RPC message.
"""

from typing import Any

from mcp_types import PROTOCOL_VERSION_META_KEY, UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.jsonrpc import HEADER_MISMATCH
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.bearer.refusals import Challenges, Refusal, refuse_message
from mcp_server.bearer.request_body import ClientGone, read_message, replay, write_message
from mcp_server.bearer.transport_rules import TransportRules
from mcp_server.handle_verifier import (
    Caller,
    HandleInactive,
    HandleVerifier,
    IntrospectionUnavailable,
    attach_caller,
)
from mcp_server.tool_scopes import scopes_lacking

_VERSION_HEADER = "mcp-protocol-version"
# Two readers of a repeated header may pick different copies; each of these decides something.
_SINGLE_HEADERS = (_VERSION_HEADER, "mcp-method", "mcp-name", "content-type", "content-length")
_SUPPORTED_VERSIONS = [*MODERN_PROTOCOL_VERSIONS, *reversed(HANDSHAKE_PROTOCOL_VERSIONS)]


class BearerLayer:
    """Pure ASGI middleware around one MCP endpoint, whose path it passes on as `path`."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        path: str,
        verifier: HandleVerifier,
        rules: TransportRules,
        challenges: Challenges,
    ) -> None:
        self._app = app
        self._path = path
        self._verifier = verifier
        self._challenges = challenges
        self._host_pattern = rules.host_pattern
        self._origin_pattern = rules.origin_pattern

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or pass on what was checked together with its caller."""
        headers = Headers(scope=scope)
        try:
            self._check_transport(scope["method"], headers)
            caller = await self._verify(headers)
            _check_media_type(headers)
            message = await read_message(receive, declared_length=headers.get("content-length"))
            _check_version(message, headers)
            self._check_scope(message, caller)
            body = write_message(message)
        except Refusal as refusal:
            await refusal.response(scope, receive, send)
            return
        except ClientGone:
            return
        # The path with a trailing slash is the same endpoint: a redirect would cost the client its
        # Authorization header.
        admitted = attach_caller(
            {**scope, "path": self._path, "raw_path": self._path.encode("ascii")}, caller
        )
        await self._app(admitted, replay(body, receive), send)

    def _check_transport(self, method: str, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or self._host_pattern.fullmatch(hosts[0]) is None:
            raise refuse_message(421, "This server does not answer for this Host.")
        if not all(self._origin_pattern.fullmatch(origin) for origin in headers.getlist("origin")):
            raise refuse_message(403, "This Origin is not allowed.")
        if method != "POST":
            raise refuse_message(405, "This endpoint takes POST only.", headers={"Allow": "POST"})
        for name in _SINGLE_HEADERS:
            if len(headers.getlist(name)) > 1:
                raise refuse_message(400, f"{name} appears more than once.", code=HEADER_MISMATCH)

    async def _verify(self, headers: Headers) -> Caller:
        raw_handle = self._presented_handle(headers)
        try:
            return Caller(self._verifier, raw_handle, await self._verifier.verify(raw_handle))
        except HandleInactive:
            raise self._challenges.handle_inactive() from None
        except IntrospectionUnavailable:
            raise self._challenges.auth_unavailable() from None

    def _presented_handle(self, headers: Headers) -> str:
        # The header only: a token in a query would end up in logs (RFC 9700 section 4.3.2).
        presented = headers.getlist("authorization")
        if len(presented) > 1:
            raise self._challenges.authorization_ambiguous()
        scheme, _, raw_handle = (presented[0] if presented else "").partition(" ")
        if scheme.lower() != "bearer":
            raise self._challenges.handle_missing()
        return raw_handle.lstrip(" ")  # RFC 9110 11.4: any number of spaces follow the scheme

    def _check_scope(self, message: dict[str, Any], caller: Caller) -> None:
        # From the body in both eras: a header is only compared with it later, or not at all.
        tool = message.get("params", {}).get("name") if message["method"] == "tools/call" else None
        if isinstance(tool, str):
            lacking = scopes_lacking(tool, caller.handle.scopes)
            if lacking:
                raise self._challenges.scope_lacking(lacking)


def _check_media_type(headers: Headers) -> None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise refuse_message(415, "The body must be application/json.")


def _check_version(message: dict[str, Any], headers: Headers) -> None:
    """Name the versions of both eras to a client that speaks neither.

    The SDK would name the modern ones only, and such a client would not fall back to the older era.
    """
    requested = headers.get(_VERSION_HEADER)
    if requested is None or requested in _SUPPORTED_VERSIONS:
        return
    meta = message.get("params", {}).get("_meta")
    if isinstance(meta, dict) and meta.get(PROTOCOL_VERSION_META_KEY, requested) != requested:
        return  # the client contradicts itself, which the SDK tells it
    raise refuse_message(
        400,
        "Unsupported protocol version",
        code=UNSUPPORTED_PROTOCOL_VERSION,
        data={"supported": _SUPPORTED_VERSIONS, "requested": requested},
        request_id=message.get("id"),
    )
