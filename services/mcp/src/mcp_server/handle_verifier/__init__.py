"""Turns a raw handle into a verified one by asking auth (RFC 7662), remembering answers briefly."""

from mcp_server.handle_verifier.caller import Caller, attach_caller, attached_caller
from mcp_server.handle_verifier.introspection import (
    AiohttpIntrospector,
    IntrospectionUnavailable,
    Introspector,
)
from mcp_server.handle_verifier.revocation_feed import FeedPulse, RevocationFeed
from mcp_server.handle_verifier.verified_handle import (
    DownstreamToken,
    HandleInactive,
    VerifiedHandle,
)
from mcp_server.handle_verifier.verifier import HandleVerifier

__all__ = [
    "AiohttpIntrospector",
    "Caller",
    "DownstreamToken",
    "FeedPulse",
    "HandleInactive",
    "HandleVerifier",
    "IntrospectionUnavailable",
    "Introspector",
    "RevocationFeed",
    "VerifiedHandle",
    "attach_caller",
    "attached_caller",
]
