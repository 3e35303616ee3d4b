"""Liveness and readiness.

Readiness is "started and not draining", never a shared dependency: if it were, one database blip
would take every replica out of rotation at once.
"""

from collections.abc import Callable

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse


class Lifecycle:
    """Where this process is between start and stop."""

    def __init__(self) -> None:
        self._started = False
        self._draining = False
        self._enders: list[Callable[[], None]] = []

    def mark_started(self) -> None:
        """From now on this process takes requests."""
        self._started = True

    def mark_draining(self) -> None:
        """From now on this process wants no new requests; it still finishes those it has."""
        if self._draining:
            return
        self._draining = True
        for end in self._enders:
            end()

    def when_draining(self, end: Callable[[], None]) -> None:
        """Have `end` called, once and at once, when this process drains.

        For what would never finish of itself, such as event streams: draining waits for requests.
        """
        self._enders.append(end)

    @property
    def is_ready(self) -> bool:
        """True between mark_started and mark_draining."""
        return self._started and not self._draining


def health_routes(lifecycle: Lifecycle) -> APIRouter:
    """`GET /livez` and `GET /readyz`, for the internal port."""
    router = APIRouter()

    @router.get("/livez", include_in_schema=False)
    async def livez() -> Response:
        return PlainTextResponse("alive\n")

    @router.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        if lifecycle.is_ready:
            return PlainTextResponse("ready\n")
        return PlainTextResponse("starting or draining\n", status_code=503)

    return router
