"""What a process shares: opened once from the settings, closed last."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2
from prometheus_client import CollectorRegistry

from auth_server.app.rate_limits import create_rate_limiter, seen_from
from auth_server.app.revocation_feed import create_revocation_feed
from auth_server.client_documents.documents import FetchDocument
from auth_server.client_documents.fetcher import open_documents
from auth_server.client_documents.key_sets import PublishedKeySets
from auth_server.domain.client_documents import is_document_url, parse_client_document
from auth_server.domain.clients import Client, ClientOrigin, TokenEndpointAuthMethod
from auth_server.domain.handles import digest
from auth_server.domain.lifetimes import Lifetimes
from auth_server.domain.registration import parse_client_metadata
from auth_server.domain.resources import ProtectedResources
from auth_server.domain.scopes import parse_scope
from auth_server.flows.authenticate_client import AuthenticateClient
from auth_server.flows.client_documents import ClientDocuments, DocumentRules
from auth_server.flows.document_metrics import DocumentMetrics
from auth_server.flows.resolve_client import ResolveClient
from auth_server.flows.revoke_grant import RevokeGrant
from auth_server.flows.revoke_upstream import RevokeUpstream
from auth_server.flows.send_revocations import SendRevocations
from auth_server.flows.upstream_metrics import UpstreamMetrics
from auth_server.settings import AuthSettings
from auth_server.storage.database import Database
from auth_server.storage.encryption import Encryption
from auth_server.storage.revocation_feed import RevocationFeed
from auth_server.storage.ring_check import check_ring
from auth_server.storage.schema import check_schema
from auth_server.upstream.discovery import Discovery
from auth_server.upstream.pingone import PingOne, PingOneClient
from auth_server.upstream.tokens import TokenVerifier
from service_kit.background import BackgroundTasks
from service_kit.http_client import AiohttpJsonFetcher, JsonFetcher, create_session
from service_kit.jwks_cache import JwksCache
from service_kit.rate_limits import RateLimiter

Now = Callable[[], datetime]
Monotonic = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


def utc_now() -> datetime:
    """The clock of production."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Resources:
    """What the two applications of a process share; opened once, closed last."""

    settings: AuthSettings
    now: Now
    database: Database
    pingone: PingOne
    protected: ProtectedResources
    configured_clients: dict[str, Client]
    background: BackgroundTasks
    lifetimes: Lifetimes
    registry: CollectorRegistry
    revocation_feed: RevocationFeed
    upstream_metrics: UpstreamMetrics
    send_revocations: SendRevocations
    client_documents: ClientDocuments
    key_sets: PublishedKeySets
    rate_limiter: RateLimiter
    sleep: Sleep = asyncio.sleep

    @property
    def revoke_upstream(self) -> RevokeUpstream:
        """Revocation at PingOne: remembered at once, sent in the background."""
        return RevokeUpstream(self.now, self.send_revocations.wake)

    @property
    def revoke_grant(self) -> RevokeGrant:
        """The one way a grant ends."""
        return RevokeGrant(
            self.database, self.revoke_upstream, self.now, self.revocation_feed.publish
        )

    @property
    def authenticate_client(self) -> AuthenticateClient:
        """Client authentication, of the token endpoint and of the revocation endpoint."""
        issuer = self.settings.auth_public_url
        return AuthenticateClient(
            self.resolve_client.known,
            self.key_sets,
            self.database,
            frozenset({issuer, f"{issuer}/token"}),
            self.now,
        )

    @property
    def resolve_client(self) -> ResolveClient:
        """Client look-up."""
        return ResolveClient(
            self.configured_clients, self.client_documents, self.database, self.now
        )


@asynccontextmanager
async def open_resources(
    settings: AuthSettings,
    *,
    now: Now = utc_now,
    monotonic: Monotonic = time.monotonic,
    fetch: JsonFetcher | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    fetch_document: FetchDocument | None = None,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[Resources]:
    """Open the database and the connections to PingOne; tests inject clock and network."""
    encryption = Encryption(settings.key_ring)
    database = Database(settings.auth_database_url.get_secret_value(), encryption)
    session = create_session(total_timeout_seconds=settings.pingone_timeout_seconds)
    documents = open_documents(settings.document_hosts, now)
    transport = transport or httpx2.AsyncHTTPTransport(retries=0)
    background = BackgroundTasks()
    registry = CollectorRegistry()
    feed = create_revocation_feed(settings, database, registry, now)
    rate_limiter = create_rate_limiter(settings, registry)
    try:
        await check_schema(database)
        await check_ring(database, now=now())
        fetch = fetch or AiohttpJsonFetcher(session)
        pingone = create_pingone(settings, now, monotonic, fetch, transport)
        fetch_document = fetch_document or documents
        metrics = UpstreamMetrics(registry)
        yield Resources(
            settings=settings,
            now=now,
            database=database,
            pingone=pingone,
            protected=settings.protected_resources,
            configured_clients=_configured_clients(settings, now()),
            background=background,
            lifetimes=settings.lifetimes,
            registry=registry,
            revocation_feed=feed,
            upstream_metrics=metrics,
            send_revocations=SendRevocations(
                database, pingone, background, metrics, settings.refresh_lease, now
            ),
            key_sets=PublishedKeySets(fetch_document, monotonic),
            rate_limiter=rate_limiter,
            sleep=sleep,
            client_documents=ClientDocuments(
                database=database,
                fetch=fetch_document,
                background=background,
                metrics=DocumentMetrics(registry),
                rules=_document_rules(settings),
                lifetimes=settings.lifetimes,
                seen_from=seen_from(settings),
                now=now,
                monotonic=monotonic,
            ),
        )
    finally:
        await background.drain(settings.drain_seconds)
        await feed.close()
        await rate_limiter.close()
        await transport.aclose()
        await session.close()
        await documents.close()
        await database.close()


def create_pingone(
    settings: AuthSettings,
    now: Now,
    monotonic: Monotonic,
    fetch: JsonFetcher,
    transport: httpx2.AsyncBaseTransport,
) -> PingOne:
    """The client of PingOne that the settings describe."""
    discovery = Discovery(settings.pingone_issuer, fetch, monotonic, settings.endpoint_overrides)
    jwks = JwksCache(fetch, discovery.jwks_uri, monotonic)
    client = PingOneClient(
        client_id=settings.mcp_server_client_id,
        client_secret=settings.mcp_server_client_secret.get_secret_value(),
        redirect_uri=settings.upstream_redirect_uri,
        scopes=parse_scope(settings.pingone_scopes),
        timeout_seconds=settings.pingone_timeout_seconds,
    )
    verifier = TokenVerifier(settings.pingone_issuer, client.client_id, jwks, now)
    return PingOne(client, discovery, verifier, transport, now)


def _document_rules(settings: AuthSettings) -> DocumentRules:
    return DocumentRules(
        are_fetched=settings.auth_client_documents,
        hosts=settings.document_hosts,
        private_use_schemes=settings.private_use_schemes,
        ceiling=settings.auth_client_ceiling,
    )


def _configured_clients(settings: AuthSettings, now: datetime) -> dict[str, Client]:
    schemes = settings.private_use_schemes
    clients: dict[str, Client] = {}
    for item in settings.clients:
        client_id, client_secret = item["client_id"], item.get("client_secret")
        methods = TokenEndpointAuthMethod
        method = methods.NONE if client_secret is None else methods.CLIENT_SECRET_BASIC
        if is_document_url(client_id):
            metadata = parse_client_document(client_id, item, schemes)
        else:
            metadata = parse_client_metadata(item, schemes, default_method=method)
        clients[client_id] = Client(
            client_id=client_id,
            metadata=metadata,
            origin=ClientOrigin.CONFIGURED,
            issued_at=now,
            secret_digest=None if client_secret is None else digest(client_secret),
        )
    return clients
