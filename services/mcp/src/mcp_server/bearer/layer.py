"""Admits a request to the SDK's application, or refuses it, in one fixed order.

Host and Origin, method, ambiguous headers, handle, media types, body, protocol version, scope of
the tool, rate. Pure ASGI: the SDK cannot set a status or a challenge from inside a JSON-RPC
message. Whatever comes with a live handle counts as a message of its grant, also what is refused.
"""

from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.bearer.media_types import check_media_types
from mcp_server.bearer.protocol_headers import (
    check_version,
    refuse_repeated,
    with_plain_headers,
)
from mcp_server.bearer.rate_limits import BudgetSpent, RateLimits
from mcp_server.bearer.refusals import Challenges, Refusal, refuse_message, too_many
from mcp_server.bearer.request_body import (
    BodyLimits,
    BodyReader,
    ClientGone,
    parse_message,
    read_length,
    replay,
    write_message,
)
from mcp_server.bearer.transport_rules import TransportRules
from mcp_server.handle_verifier import (
    Caller,
    HandleInactive,
    HandleVerifier,
    IntrospectionUnavailable,
    attach_caller,
)
from mcp_server.tool_scopes import scopes_to_ask_for
from service_kit.fetch_metadata import FetchMetadata


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
        body_limits: BodyLimits,
        rate_limits: RateLimits,
    ) -> None:
        self._app = app
        self._path = path
        self._verifier = verifier
        self._challenges = challenges
        self._body_limits = body_limits
        self._rate_limits = rate_limits
        self._host_pattern = rules.host_pattern
        self._origin_pattern = rules.origin_pattern

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or pass on what was checked together with its caller."""
        headers = Headers(scope=scope)
        try:
            self._check_transport(scope["method"], headers)
            caller = await self._verify(headers, scope)
            body = await self._admit(headers, receive, caller)
        except Refusal as refusal:
            await refusal.response(scope, receive, send)
            return
        except BudgetSpent as spent:
            await _too_many(spent).response(scope, receive, send)
            return
        except ClientGone:
            return
        # The path with a trailing slash is the same endpoint: a redirect would cost the client its
        # Authorization header.
        admitted = attach_caller(
            {
                **with_plain_headers(scope),
                "path": self._path,
                "raw_path": self._path.encode("ascii"),
            },
            caller,
        )
        await self._app(admitted, replay(body, receive), send)

    def _check_transport(self, method: str, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or self._host_pattern.fullmatch(hosts[0].lower()) is None:
            raise refuse_message(421, "This server does not answer for this Host.")
        if not all(self._origin_pattern.fullmatch(origin) for origin in headers.getlist("origin")):
            raise refuse_message(403, "This Origin is not allowed.")
        if method != "POST":
            raise refuse_message(405, "This endpoint takes POST only.", headers={"Allow": "POST"})
        refuse_repeated(headers)

    async def _verify(self, headers: Headers, scope: Scope) -> Caller:
        raw_handle = self._presented_handle(headers)
        client = scope.get("client")
        try:
            handle = await self._rate_limits.verify(
                self._verifier,
                raw_handle,
                client[0] if client else None,
                is_from_elsewhere=FetchMetadata.of(scope["headers"]).is_from_elsewhere,
            )
            return Caller(self._verifier, raw_handle, handle)
        except HandleInactive:
            raise self._challenges.handle_inactive() from None
        except IntrospectionUnavailable:
            raise self._challenges.auth_unavailable() from None
        except BudgetSpent as spent:
            raise self._challenges.too_many_failures(spent.seconds) from None

    def _presented_handle(self, headers: Headers) -> str:
        # The header only: a token in a query would end up in logs (RFC 9700 section 4.3.2).
        presented = headers.getlist("authorization")
        if len(presented) > 1:
            raise self._challenges.authorization_ambiguous()
        scheme, _, raw_handle = (presented[0] if presented else "").partition(" ")
        if scheme.lower() != "bearer":
            raise self._challenges.handle_missing()
        return raw_handle.lstrip(" ")  # RFC 9110 11.4: any number of spaces follow the scheme

    async def _admit(self, headers: Headers, receive: Receive, caller: Caller) -> bytes:
        """Return the message as the SDK gets it: checked, counted and written anew."""
        declared = read_length(headers.get("content-length"))
        reader = BodyReader(receive, self._body_limits.max_bytes)
        grant_id = caller.handle.grant_id
        self._rate_limits.refuse_if_spent(grant_id, declared or 0)
        try:
            check_media_types(headers)
            raw_body = await reader.read(declared)
            self._rate_limits.refuse_if_spent(grant_id, reader.size)
            message = parse_message(raw_body, self._body_limits.max_depth)
            # Before anything else: a refusal quotes the message's id, which must be writable, too.
            body = write_message(message)
            check_version(message, headers)
            self._check_scope(message, caller)
        except Refusal:
            await self._count(caller, reader.size)
            raise
        await self._count(caller, reader.size, message=message)
        return body

    def _check_scope(self, message: dict[str, Any], caller: Caller) -> None:
        # From the body in both eras: a header is only compared with it later, or not at all.
        tool = message.get("params", {}).get("name") if message["method"] == "tools/call" else None
        if isinstance(tool, str):
            asked = scopes_to_ask_for(tool, caller.handle.scopes)
            if asked:
                raise self._challenges.scope_lacking(asked)

    async def _count(
        self, caller: Caller, size: int, *, message: dict[str, Any] | None = None
    ) -> None:
        is_tool_call = message is not None and message["method"] == "tools/call"
        try:
            await self._rate_limits.spend(caller.handle.grant_id, size, is_tool_call=is_tool_call)
        except BudgetSpent as spent:
            request_id = None if message is None else message.get("id")
            raise _too_many(spent, request_id=request_id) from None


def _too_many(spent: BudgetSpent, *, request_id: str | int | None = None) -> Refusal:
    what = spent.budget.name.replace("_", " ")
    return too_many(what, spent.seconds, request_id=request_id)
