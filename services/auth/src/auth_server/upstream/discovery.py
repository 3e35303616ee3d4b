"""PingOne's endpoints: discovered from the issuer, cached, each open to an override."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final

import structlog

from auth_server.upstream.errors import UpstreamAnswerRejected, UpstreamUnavailable
from service_kit.http_client import FetchFailed, JsonFetcher
from service_kit.urls import ImproperUrl, parse_url

MAX_AGE_SECONDS: Final = 3600.0
COOL_DOWN_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """The endpoints that this service uses (OpenID Connect Discovery 1.0 section 3)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    revocation_endpoint: str | None = None


ENDPOINT_NAMES: Final = tuple(field.name for field in fields(ProviderMetadata))
REQUIRED_ENDPOINTS: Final = frozenset(
    field.name for field in fields(ProviderMetadata) if field.default is MISSING
)


class Discovery:
    """Discovers once an hour; one fetch at a time; an old answer outlives a failed refresh.

    Overrides exist because the browser's URL of PingOne may differ from the back channel's (in
    containers); with all that are required, nothing is fetched. The issuer itself is never
    overridden: it is what tokens are checked against.
    """

    def __init__(
        self,
        issuer: str,
        fetch: JsonFetcher,
        monotonic: Callable[[], float],
        overrides: Mapping[str, str],
    ) -> None:
        self.issuer = issuer
        self._fetch = fetch
        self._monotonic = monotonic
        self._overrides = dict(overrides)
        self._metadata: ProviderMetadata | None = None
        self._fetched_at = float("-inf")
        self._attempted_at = float("-inf")
        self._lock = asyncio.Lock()

    async def metadata(self) -> ProviderMetadata:
        """Return the endpoints; raise UpstreamUnavailable if there is no answer and no old one."""
        if not self._is_fresh():
            async with self._lock:
                if not self._is_fresh() and not self._is_cooling_down():
                    await self._refresh()
        if self._metadata is None:
            raise UpstreamUnavailable("discovery failed")
        return self._metadata

    async def jwks_uri(self) -> str:
        """Where PingOne's keys are; raises FetchFailed, as a key set's own fetch does."""
        try:
            return (await self.metadata()).jwks_uri
        except UpstreamUnavailable as error:
            raise FetchFailed(str(error)) from error

    def _is_fresh(self) -> bool:
        return self._monotonic() - self._fetched_at < MAX_AGE_SECONDS

    def _is_cooling_down(self) -> bool:
        return self._monotonic() - self._attempted_at < COOL_DOWN_SECONDS

    async def _refresh(self) -> None:
        if self._overrides.keys() >= REQUIRED_ENDPOINTS:
            self._metadata, self._fetched_at = ProviderMetadata(**self._overrides), float("inf")
            return
        url = f"{self.issuer}/.well-known/openid-configuration"
        try:
            document = await self._fetch(url)
            self._metadata = self._read(document)
        except (FetchFailed, UpstreamAnswerRejected) as error:
            _log.warning("pingone.discovery_failed", reason=str(error))
            # Not before: a cancelled attempt must not keep the next one away.
            self._attempted_at = self._monotonic()
            return
        self._fetched_at = self._monotonic()

    def _read(self, document: Mapping[str, Any]) -> ProviderMetadata:
        # OpenID Connect Discovery 4.3: a document for another issuer must not be used.
        if document.get("issuer") != self.issuer:
            raise UpstreamAnswerRejected("the discovery document names another issuer")
        endpoints: dict[str, str] = {}
        for name in ENDPOINT_NAMES:
            if name in self._overrides:
                endpoints[name] = self._overrides[name]
            elif (value := document.get(name)) is not None:
                endpoints[name] = checked_endpoint(name, value)
        try:
            return ProviderMetadata(**endpoints)
        except TypeError:
            raise UpstreamAnswerRejected("the discovery document lacks an endpoint") from None


def checked_endpoint(name: str, value: object) -> str:
    """The URL of a published endpoint; raise UpstreamAnswerRejected if it is not one to trust."""
    if not isinstance(value, str) or not _is_safe(value):
        raise UpstreamAnswerRejected(f"{name} is neither https nor on loopback")
    return value


def _is_safe(url: str) -> bool:
    try:
        parts = parse_url(url)
    except ImproperUrl:
        return False
    is_loopback = parts.authority is not None and parts.authority.is_loopback
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback)
