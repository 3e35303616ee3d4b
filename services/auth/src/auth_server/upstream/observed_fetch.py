"""Fetches PingOne's documents, and watches its clock while doing so."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2

from service_kit.http_client import MAX_JSON_BYTES, FetchFailed, parse_json_object

OK: Final = 200


class ObservedFetch:
    """A JsonFetcher that remembers by how much PingOne's clock is ahead of ours."""

    def __init__(self, client: httpx2.AsyncClient, seconds: float, now: Callable[[], datetime]):
        self._client = client
        self._seconds = seconds
        self._now = now
        self.ahead_by: timedelta | None = None

    async def __call__(self, url: str) -> dict[str, Any]:
        """Return the JSON object found at url; raise FetchFailed with the reason."""
        try:
            async with asyncio.timeout(self._seconds):
                request = self._client.build_request("GET", url)
                response = await self._client.send(request, stream=True)
                try:
                    body = await _read(response, url)
                finally:
                    await response.aclose()
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise FetchFailed(f"{url} could not be reached: {type(error).__name__}") from error
        self._observe(response.headers.get("date", ""))
        if response.status_code != OK:
            raise FetchFailed(f"{url} answered {response.status_code}")
        return parse_json_object(url, body)

    def _observe(self, date: str) -> None:
        try:
            theirs = parsedate_to_datetime(date)
        except ValueError:
            return
        if theirs.tzinfo is None:
            theirs = theirs.replace(tzinfo=UTC)
        self.ahead_by = theirs - self._now()


async def _read(response: httpx2.Response, url: str) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            raise FetchFailed(f"{url} answered more than {MAX_JSON_BYTES} bytes")
    return body
