"""The tool that shows who is calling whom, as whom: the two tokens side by side."""

import json
from typing import Any

from joserfc.errors import JoseError
from joserfc.jws import extract_compact
from mcp.server.mcpserver import Context
from pydantic import BaseModel, Field

from mcp_server.handle_verifier import DownstreamToken, VerifiedHandle
from mcp_server.tools.api_calls import authorized_caller


class DownstreamClaims(BaseModel):
    """Claims of the access token this server uses at the API. It never leaves this server."""

    iss: str | None = Field(description="Who issued it; null if the token does not say.")
    aud: list[str] = Field(description="The API it is meant for.")
    scope: list[str] = Field(description="What it permits there.")
    exp: int = Field(description="When it expires, in seconds since 1970.")


class WhoAmI(BaseModel):
    """The signed-in user, the client, and what the client was granted."""

    subject: str = Field(description="The stable identifier of the user.")
    name: str = Field(description="The name of the user, for people.")
    client_id: str = Field(description="The client that presented its access token.")
    scopes: list[str] = Field(description="What the user granted to the client.")
    downstream_token: DownstreamClaims


class WhoAmIRevealed(WhoAmI):
    """The same with the token itself, for a look at it on a developer's machine."""

    downstream_access_token: str = Field(description="Shown in development only.")


async def who_am_i(ctx: Context[Any, Any]) -> WhoAmI:
    """Tell who the signed-in user is and what this connection may do on their behalf."""
    return WhoAmI(**_describe(authorized_caller(ctx, "who_am_i").handle))


async def who_am_i_revealed(ctx: Context[Any, Any]) -> WhoAmIRevealed:
    """Tell who the signed-in user is, and show the downstream token (development only)."""
    handle = authorized_caller(ctx, "who_am_i").handle
    return WhoAmIRevealed(
        **_describe(handle), downstream_access_token=handle.downstream_token.access_token
    )


def _describe(handle: VerifiedHandle) -> dict[str, Any]:
    token = handle.downstream_token
    return {
        "subject": handle.subject,
        "name": handle.username,
        "client_id": handle.client_id,
        "scopes": sorted(handle.scopes),
        "downstream_token": DownstreamClaims(
            iss=_unverified_issuer(token),
            aud=[token.audience],
            scope=sorted(token.scopes),
            exp=token.expires_at,
        ),
    }


def _unverified_issuer(token: DownstreamToken) -> str | None:
    """Return the `iss` claim for display; the API, not this server, verifies the token."""
    try:
        claims = json.loads(extract_compact(token.access_token.encode("ascii")).payload)
    except (JoseError, ValueError, RecursionError):
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None
