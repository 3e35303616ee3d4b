"""The layer in front of the SDK's application: nothing passes it without a verified handle."""

from mcp_server.bearer.layer import BearerLayer
from mcp_server.bearer.refusals import Challenges
from mcp_server.bearer.request_body import MAX_BODY_BYTES
from mcp_server.bearer.transport_rules import TransportRules, cross_origin

__all__ = ["MAX_BODY_BYTES", "BearerLayer", "Challenges", "TransportRules", "cross_origin"]
