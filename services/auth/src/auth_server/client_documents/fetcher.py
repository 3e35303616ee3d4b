"""Fetches documents from the web: https, public addresses, no redirects, little and quickly."""

import asyncio
import re
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import Final

import aiohttp
from yarl import URL

from auth_server.client_documents.checked_connector import (
    AddressRefused,
    CheckedResolver,
    SystemDns,
    checked_connector,
)
from auth_server.client_documents.documents import DocumentUnavailable, FetchedDocument
from auth_server.client_documents.freshness import fresh_for
from auth_server.client_documents.json_documents import parse_document
from auth_server.domain.document_hosts import DocumentHosts
from auth_server.domain.document_urls import UnfetchableUrl, host_to_fetch_from
from service_kit.header_fields import field_lines, media_type

# For everything: the name, the connection, TLS, the headers, the body.
TOTAL_TIMEOUT_SECONDS: Final = 5.0
# Documents and key sets together: what strangers can make this process hold open.
MOST_AT_ONCE: Final = 64

_HEADERS: Final = {
    "Accept": "application/json",
    # Nothing to decompress is no bomb: the bound counts the bytes that are parsed.
    "Accept-Encoding": "identity",
    "User-Agent": "mcp-pingone-auth (OAuth client documents)",
}
_JSON: Final = re.compile(r"application/(?:[a-z0-9!#$&^_.+-]+\+)?json", re.ASCII)


class HttpDocuments:
    """The FetchDocument of production. It holds nothing but its session, and is to be closed."""

    def __init__(
        self,
        resolver: CheckedResolver,
        hosts: DocumentHosts,
        now: Callable[[], datetime],
        *,
        context: ssl.SSLContext | bool = True,
        timeout_seconds: float = TOTAL_TIMEOUT_SECONDS,
    ) -> None:
        """Trust the authorities of the system, unless `context` trusts others."""
        self._resolver = resolver
        self._hosts = hosts
        self._now = now
        self._timeout_seconds = timeout_seconds
        self._under_way = 0
        self._session = aiohttp.ClientSession(
            connector=checked_connector(resolver, context),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),  # there is one bound for everything, below
            max_line_size=4096,
            max_field_size=4096,
            max_headers=64,
            read_bufsize=4096,
        )

    async def __call__(self, url: str, *, max_bytes: int) -> FetchedDocument:
        """Return the document; raise DocumentUnavailable whatever goes wrong."""
        _check_url(url, self._hosts)
        if self._under_way >= MOST_AT_ONCE:
            raise DocumentUnavailable("too many others are being fetched")
        self._under_way += 1
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._fetch(url, max_bytes)
        except TimeoutError as error:
            raise DocumentUnavailable("no complete answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # OSError is also the refusal of an address: the log may tell, the world may not.
            raise DocumentUnavailable(f"cannot be fetched: {_reason(error)}") from error
        finally:
            self._under_way -= 1

    async def close(self) -> None:
        """Close the connections, and give up names that are still asked for."""
        await self._session.close()
        await self._resolver.close()

    async def _fetch(self, url: str, max_bytes: int) -> FetchedDocument:
        async with self._session.get(
            # As it is: a library that rewrites a URL may find another host in it.
            URL(url, encoded=True),
            allow_redirects=False,
            headers=_HEADERS,
        ) as response:
            _check_head(response, max_bytes)
            body = await _read_bounded(response.content, max_bytes)
            # RFC 9110 5.3: several lines of a list are one.
            caching = response.headers.copy()
            caching["Cache-Control"] = ", ".join(caching.getall("Cache-Control", []))
            return FetchedDocument(parse_document(body), fresh_for(caching, self._now()))


def open_documents(hosts: DocumentHosts, now: Callable[[], datetime]) -> HttpDocuments:
    """The one fetcher of a process; call it in the running loop."""
    return HttpDocuments(CheckedResolver(SystemDns()), hosts, now)


def _check_url(url: str, hosts: DocumentHosts) -> None:
    try:
        host = host_to_fetch_from(url)
    except UnfetchableUrl as error:
        raise DocumentUnavailable(str(error)) from None
    if not hosts.allows(host):
        raise DocumentUnavailable("the host is not allowed here")


def _check_head(response: aiohttp.ClientResponse, max_bytes: int) -> None:
    if response.status != 200:
        raise DocumentUnavailable(f"answered with status {response.status}")
    encodings = field_lines(response.raw_headers, b"content-encoding")
    if any(encoding.strip(b" \t").lower() != b"identity" for encoding in encodings):
        raise DocumentUnavailable("answered with a content encoding that was not asked for")
    content_type = media_type(response.raw_headers)
    if content_type is None or _JSON.fullmatch(content_type) is None:
        raise DocumentUnavailable("did not answer with JSON")
    if response.content_length is not None and response.content_length > max_bytes:
        raise DocumentUnavailable(f"announced more than {max_bytes} bytes")


async def _read_bounded(content: aiohttp.StreamReader, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            raise DocumentUnavailable(f"answered with more than {max_bytes} bytes")
    return bytes(body)


def _reason(error: Exception) -> str:
    """The kind of failure, and the words of our own checks; not a library's, which may quote."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return str(cause) if isinstance(cause, AddressRefused) else type(cause).__name__
