"""HTTP/1.1 with bounds in both directions, and with one reading of every request.

docs/decisions/0019-one-request-at-a-time-for-the-parser.md says why it is built on uvicorn and
httptools.
"""

from service_kit.http_protocol.connection import BoundedProtocol

__all__ = ["BoundedProtocol"]
