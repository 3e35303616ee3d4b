"""`GET /revocations` on the internal port: the grants that end, as server-sent events.

    event: ready        nothing is missed from here on: forget what you remember
    event: revoked      data: {"grant_id": "..."}
    :                   a heartbeat, about every 300 ms; without one, something may have been missed

The end of the stream means the same as silence. Format: HTML Living Standard 9.2.
"""

import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from auth_server.domain.errors import TemporarilyUnavailable, TooManyRequests
from auth_server.endpoints.rate_limits import LimitedResourceServers
from auth_server.endpoints.responses import NO_STORE
from auth_server.storage.revocation_feed import (
    FeedUnavailable,
    RevocationFeed,
    ShareSpent,
    Subscription,
)

_READY = "event: ready\ndata: {}\n\n"
_HEARTBEAT = ":\n\n"


def revocation_routes(authenticate: LimitedResourceServers, feed: RevocationFeed) -> APIRouter:
    """The feed of revocations: to each resource server those of its own resource."""
    router = APIRouter()

    @router.get("/revocations", summary="The grants that end, as they end")
    async def revocations(request: Request) -> Response:
        resource = await authenticate(request)
        try:
            subscription = await feed.subscribe(resource.identifier)
        except ShareSpent as error:
            raise TooManyRequests(
                "this resource server has opened its share of streams a moment ago; close one, or"
                " try again when Retry-After says",
                detail=str(error),
                retry_after_seconds=error.seconds,
            ) from error
        except FeedUnavailable as error:
            raise TemporarilyUnavailable(
                "the feed is unavailable for now; try again later",
                detail=str(error),
                retry_after_seconds=1,
            ) from error
        return _EventStream(subscription)

    return router


class _EventStream(StreamingResponse):
    """Sends a subscription's events, and closes it however the stream ends."""

    def __init__(self, subscription: Subscription) -> None:
        # X-Accel-Buffering: a proxy in between must not collect what is worth its second.
        super().__init__(
            _events(subscription),
            media_type="text/event-stream",
            headers={**NO_STORE, "X-Accel-Buffering": "no"},
        )
        self._subscription = subscription

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the feed ends the subscription or the reader goes away."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._subscription.close()


async def _events(subscription: Subscription) -> AsyncIterator[str]:
    yield _READY
    async for grant_id in subscription:
        if grant_id is None:
            yield _HEARTBEAT
        else:
            yield f"event: revoked\ndata: {json.dumps({'grant_id': grant_id})}\n\n"
