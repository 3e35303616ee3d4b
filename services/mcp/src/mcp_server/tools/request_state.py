"""What protects the request state of a call that is answered in two halves.

A client may change, keep, swap or invent what it sends back (MCP 2026-07-28, MRTR). The SDK seals
it with AES-256-GCM together with the method, the tool, a digest of the arguments, an expiry and the
audience; what is added here is whose it is.
"""

import json
import secrets
from collections.abc import Sequence
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import RequestStateSecurity

from mcp_server.handle_verifier import attached_caller

REQUEST_STATE_SECONDS: Final = 300.0
_KEY_BYTES: Final = 32


def protect_request_state(keys: Sequence[str], *, resource: str) -> RequestStateSecurity:
    """Return the policy for one resource: the first key seals, all of them open.

    Without keys a random one is made, which suits one process: no other opens what this one sealed.
    """
    return RequestStateSecurity(
        keys=list(keys) or [secrets.token_bytes(_KEY_BYTES)],
        ttl=REQUEST_STATE_SECONDS,
        bind_principal=_principal,
        audience=resource,
    )


def _principal(ctx: ServerRequestContext[Any, Any]) -> str:
    """Name who calls: the person, through which client, by which grant."""
    handle = attached_caller({} if ctx.request is None else ctx.request.scope).handle
    return json.dumps([handle.subject, handle.client_id, handle.grant_id])
