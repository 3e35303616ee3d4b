"""HTTP between services: one pooled aiohttp session per process, bounded in time and size."""

import json
from typing import Any, Protocol

import aiohttp

CONNECTIONS_PER_PROCESS = 100
CONNECT_TIMEOUT_SECONDS = 3.0
TOTAL_TIMEOUT_SECONDS = 10.0
MAX_JSON_BYTES = 512 * 1024
# Below the services' server keep-alive (see serving.py): the client lets go of a connection first.
KEEPALIVE_SECONDS = 30.0


class FetchFailed(Exception):
    """A JSON document could not be had. The text names the URL and the reason, never the body."""


class JsonFetcher(Protocol):
    """Fetches one JSON object by GET; raises FetchFailed."""

    async def __call__(self, url: str) -> dict[str, Any]:
        """Return the JSON object found at url."""


def create_session(
    *, total_timeout_seconds: float = TOTAL_TIMEOUT_SECONDS
) -> aiohttp.ClientSession:
    """Create the process's one session; call it in the running loop, close it at shutdown."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=CONNECTIONS_PER_PROCESS, keepalive_timeout=KEEPALIVE_SECONDS
        ),
        timeout=aiohttp.ClientTimeout(
            total=total_timeout_seconds, sock_connect=CONNECT_TIMEOUT_SECONDS
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


class AiohttpJsonFetcher:
    """The JsonFetcher of production: no redirects, 200 only, at most MAX_JSON_BYTES."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __call__(self, url: str) -> dict[str, Any]:
        """Return the JSON object found at url; raise FetchFailed with the reason."""
        try:
            async with self._session.get(
                url, allow_redirects=False, headers={"Accept": "application/json"}
            ) as response:
                if response.status != 200:
                    raise FetchFailed(f"{url} answered {response.status}")
                body = await read_bounded(response, MAX_JSON_BYTES)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FetchFailed(f"{url} could not be reached: {type(error).__name__}") from error
        return parse_json_object(url, body)


async def read_bounded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """Read a response body; raise FetchFailed as soon as it exceeds max_bytes."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        size += len(chunk)
        if size > max_bytes:
            raise FetchFailed(f"{response.url.origin()} answered more than {max_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def parse_json_object(url: str, body: bytes) -> dict[str, Any]:
    """Parse a body that must be one JSON object; raise FetchFailed otherwise."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FetchFailed(f"{url} did not answer JSON") from error
    if not isinstance(document, dict):
        raise FetchFailed(f"{url} did not answer a JSON object")
    return document
