"""The verifier of handles and the feed that keeps it honest, with their metrics."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from prometheus_client import CollectorRegistry, Counter, Gauge

from mcp_server.handle_verifier import FeedPulse, HandleVerifier, Introspector, RevocationFeed
from mcp_server.settings import Settings
from service_kit.background import BackgroundTasks


def create_verifier(
    settings: Settings, introspector: Introspector, pulse: FeedPulse, registry: CollectorRegistry
) -> HandleVerifier:
    """Create the verifier for handles of MCP_RESOURCE issued by AUTH_ISSUER."""
    introspections = Counter(
        "mcp_introspections_total",
        "Handles verified, by outcome: hit (remembered), live, inactive, outage.",
        ["outcome"],
        registry=registry,
    )
    return HandleVerifier(
        introspector,
        resource=settings.mcp_resource,
        issuer=settings.auth_issuer,
        cache_seconds=settings.mcp_introspection_cache_seconds,
        now=time.time,
        monotonic=time.monotonic,
        hears_revocations=pulse.is_alive,
        count=lambda outcome: introspections.labels(outcome).inc(),
    )


@asynccontextmanager
async def follow_revocations(
    settings: Settings,
    session: aiohttp.ClientSession,
    verifier: HandleVerifier,
    pulse: FeedPulse,
    registry: CollectorRegistry,
) -> AsyncIterator[None]:
    """Follow auth's feed in the background. Whatever becomes of it, nobody waits for it."""
    connected = Gauge(
        "mcp_revocation_feed_connected",
        "1 while auth would tell of a revocation; otherwise answers are used for a second only.",
        registry=registry,
    )
    connected.set_function(pulse.is_alive)
    events = Counter(
        "mcp_revocation_feed_events_total",
        "Events of auth's feed: ready, revoked, malformed.",
        ["event"],
        registry=registry,
    )
    feed = RevocationFeed(
        session,
        auth_internal_url=settings.auth_internal_url,
        client_id=settings.introspection_client_id,
        client_secret=settings.introspection_client_secret.get_secret_value(),
        verifier=verifier,
        pulse=pulse,
        count=lambda event: events.labels(event).inc(),
        monotonic=time.monotonic,
        jitter=random.random,
    )
    following = BackgroundTasks().start(feed.follow(), name="revocation-feed")
    try:
        yield
    finally:
        following.cancel()
        await asyncio.wait([following])
