"""Builders: a simulator in this process, a clock, and a client with a browser."""

from collections.abc import AsyncIterator

import httpx
import pytest
from joserfc.jwk import RSAKey

from pingone_simulator.app import create_app
from pingone_simulator.settings import SimulatorSettings
from pingone_simulator.signing_key import generate_signing_key
from pingone_simulator.testing import Clock, RelyingParty, Start


@pytest.fixture(scope="session")
def signing_key() -> RSAKey:
    return generate_signing_key()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def start(clock: Clock, signing_key: RSAKey) -> AsyncIterator[Start]:
    """Start a simulator with changed settings and return its client."""
    browsers: list[httpx.AsyncClient] = []

    def start_simulator(**changes: object) -> RelyingParty:
        settings = SimulatorSettings(**changes)  # type: ignore[arg-type]
        app = create_app(settings, now=clock, signing_key=signing_key)
        transport = httpx.ASGITransport(app)
        browsers.append(httpx.AsyncClient(transport=transport, base_url=settings.issuer))
        return RelyingParty(browsers[-1], settings, app.state.simulator)

    yield start_simulator
    for browser in browsers:
        await browser.aclose()


@pytest.fixture
def party(start: Start) -> RelyingParty:
    """The client of a simulator with the default settings."""
    return start()
