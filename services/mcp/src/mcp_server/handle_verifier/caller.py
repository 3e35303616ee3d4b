"""Who is calling: travels in the ASGI scope, which the SDK hands to a tool in both eras.

Explicit, because a context variable would rely on which task of the SDK ends up running the tool.
"""

from typing import Any

from starlette.types import Scope

from mcp_server.handle_verifier.verified_handle import VerifiedHandle
from mcp_server.handle_verifier.verifier import HandleVerifier

_SCOPE_KEY = "mcp_server.caller"


class Caller:
    """The verified handle of one request, and the way to have it verified anew."""

    __slots__ = ("_raw_handle", "_verifier", "handle")

    def __init__(self, verifier: HandleVerifier, raw_handle: str, handle: VerifiedHandle) -> None:
        self._verifier = verifier
        self._raw_handle = raw_handle
        self.handle = handle

    async def renew(self) -> None:
        """Ask auth again after the API refused the downstream token; raises like verify."""
        self.handle = await self._verifier.renew(self._raw_handle, refused=self.handle)


def attach_caller(scope: Scope, caller: Caller) -> Scope:
    """Return a copy of an ASGI scope that carries the caller."""
    return {**scope, _SCOPE_KEY: caller}


def attached_caller(scope: Scope) -> Caller:
    """Return the caller a scope carries; raise LookupError if the bearer layer was bypassed."""
    caller: Any = scope.get(_SCOPE_KEY)
    if not isinstance(caller, Caller):
        raise LookupError("no verified caller: this request did not come through the bearer layer")
    return caller
