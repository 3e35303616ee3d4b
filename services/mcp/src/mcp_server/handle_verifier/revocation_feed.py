"""Follows auth's feed of revocations: what a revoked grant stands for is forgotten at once.

Auth sends a heartbeat while it would hear of every revocation. Silence, a lost connection and a
line that cannot be understood all mean that one may have been missed: until the feed is back,
the verifier uses no answer older than a second, and when it is back it forgets everything.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Literal, NoReturn, Protocol

import aiohttp
import structlog

from mcp_server.handle_verifier.event_stream import (
    EventStreamParser,
    MalformedStream,
    ServerSentEvent,
)
from mcp_server.handle_verifier.introspection import basic_authorization

Clock = Callable[[], float]
FeedEvent = Literal["ready", "revoked", "malformed"]

# Three heartbeats of auth.
SILENCE_SECONDS = 0.9
# For the answer's first byte: auth may have to connect to its own source first.
CONNECT_SECONDS = 3.0
FIRST_DELAY_SECONDS = 0.05
MAX_DELAY_SECONDS = 2.0
MAX_GRANT_ID_LENGTH = 256

_HINTS = {
    401: "INTROSPECTION_CLIENT_ID and INTROSPECTION_CLIENT_SECRET must match auth's",
    404: "AUTH_INTERNAL_URL must be the internal port of an auth that has the feed",
    429: "more followers with this credential than auth has places for; see its operations.md",
}

_log = structlog.get_logger(__name__)


class _FeedLost(Exception):
    """The stream has ended. The text says why."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.hint = hint


class Forgetful(Protocol):
    """What remembers answers: the verifier."""

    def forget_grant(self, grant_id: str) -> None:
        """Forget what is known of a revoked grant."""

    def forget_everything(self) -> None:
        """Forget everything: revocations may have been missed."""


class FeedPulse:
    """Whether a revocation would be heard now. Until the feed is first heard it would not be."""

    def __init__(self, monotonic: Clock) -> None:
        self._monotonic = monotonic
        self._heard_at: float | None = None

    def beat(self) -> None:
        """Something has just been heard."""
        self._heard_at = self._monotonic()

    def stop(self) -> None:
        """The connection is lost."""
        self._heard_at = None

    def is_alive(self) -> bool:
        """True while the feed is connected and not silent."""
        return self._heard_at is not None and self._monotonic() - self._heard_at <= SILENCE_SECONDS


class RevocationFeed:
    """The connection to auth's `GET /revocations`, made anew whenever it is lost."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        auth_internal_url: str,
        client_id: str,
        client_secret: str,
        verifier: Forgetful,
        pulse: FeedPulse,
        count: Callable[[FeedEvent], None],
        monotonic: Clock,
        jitter: Clock,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """`jitter` returns numbers from 0 to 1."""
        self._session = session
        self._url = f"{auth_internal_url}/revocations"
        self._headers = {
            "Authorization": basic_authorization(client_id, client_secret),
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
        }
        self._verifier = verifier
        self._pulse = pulse
        self._count = count
        self._monotonic = monotonic
        self._jitter = jitter
        self._sleep = sleep
        self._silence_seconds = silence_seconds
        self._is_ready = False
        self._told_reason: str | None = None

    async def follow(self) -> NoReturn:
        """Follow the feed until cancelled."""
        delay = FIRST_DELAY_SECONDS
        while True:
            began = self._monotonic()
            self._tell(await self._end_of_stream())
            # A stream that ends as soon as it begins is not asked for twenty times a second.
            is_stable = self._monotonic() - began > MAX_DELAY_SECONDS
            delay = FIRST_DELAY_SECONDS if is_stable else delay
            await self._sleep(delay * (0.5 + self._jitter() / 2))
            delay = min(2 * delay, MAX_DELAY_SECONDS)

    async def _end_of_stream(self) -> BaseException | None:
        """Follow one stream; return what ended it, which may be a defect that nobody foresaw."""
        # In a task of its own: whatever it fails with, the feed is followed again.
        stream = asyncio.create_task(self._follow_once())
        try:
            await asyncio.wait([stream])
        finally:
            stream.cancel()
            await asyncio.wait([stream])
        return None if stream.cancelled() else stream.exception()

    async def _follow_once(self) -> None:
        try:
            await self._read()
        except MalformedStream as error:
            # It may have been a revocation, of whichever grant.
            self._count("malformed")
            self._verifier.forget_everything()
            raise _FeedLost(str(error)) from error
        except TimeoutError as error:
            raise _FeedLost("the feed is silent") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _FeedLost(f"no connection: {type(error).__name__}") from error
        finally:
            self._is_ready = False
            self._pulse.stop()

    async def _read(self) -> NoReturn:
        loop = asyncio.get_running_loop()
        parser = EventStreamParser()
        async with (
            asyncio.timeout(CONNECT_SECONDS) as limit,
            self._session.get(
                self._url,
                headers=self._headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as response,
        ):
            _check(response)
            while True:
                limit.reschedule(loop.time() + self._silence_seconds)
                chunk = await response.content.readany()
                if not chunk:
                    raise _FeedLost("auth has ended the stream")
                for event in parser.feed(chunk):
                    self._take(event)
                if self._is_ready:
                    self._pulse.beat()

    def _take(self, event: ServerSentEvent) -> None:
        if event.name == "ready":
            self._is_ready = True
            self._told_reason = None
            self._count("ready")
            self._verifier.forget_everything()
            _log.info("revocation_feed.connected")
        elif event.name == "revoked":
            self._verifier.forget_grant(_grant_id(event.data))
            self._count("revoked")

    def _tell(self, lost: BaseException | None) -> None:
        if not isinstance(lost, _FeedLost):
            _log.error("revocation_feed.failed", exc_info=lost)
            return
        reason = str(lost)
        if reason == self._told_reason:
            return
        self._told_reason = reason
        hint = {} if lost.hint is None else {"hint": lost.hint}
        _log.warning("revocation_feed.lost", reason=reason, **hint)


def _check(response: aiohttp.ClientResponse) -> None:
    if response.status != 200:
        raise _FeedLost(f"auth answered {response.status}", _HINTS.get(response.status))
    if response.content_type != "text/event-stream":
        raise _FeedLost("auth did not answer with an event stream")


def _grant_id(data: str) -> str:
    try:
        unverified = json.loads(data)
    except (ValueError, RecursionError):
        raise MalformedStream("a revocation is not JSON") from None
    grant_id = unverified.get("grant_id") if isinstance(unverified, dict) else None
    if not isinstance(grant_id, str) or not 0 < len(grant_id) <= MAX_GRANT_ID_LENGTH:
        raise MalformedStream("a revocation names no grant")
    return grant_id
