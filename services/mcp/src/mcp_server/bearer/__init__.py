"""The layer in front of the SDK's application: nothing passes it without a verified handle."""

from mcp_server.bearer.layer import BearerLayer
from mcp_server.bearer.rate_limits import Budgets, RateLimits
from mcp_server.bearer.refusals import Challenges
from mcp_server.bearer.request_body import BodyLimits
from mcp_server.bearer.transport_rules import TransportRules, cross_origin

__all__ = [
    "BearerLayer",
    "BodyLimits",
    "Budgets",
    "Challenges",
    "RateLimits",
    "TransportRules",
    "cross_origin",
]
