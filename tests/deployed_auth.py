"""The authorization server as it is deployed: behind https, at the URL that browsers know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from auth_harness import ISSUER, AuthUnderTest, auth_under_test

PUBLIC_URL = "https://auth.example.com"
_ENCRYPTION_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
_SECRET = "9c0f5f3e4b7a4f0a8d6e1b2c3d4e5f60"


@asynccontextmanager
async def deployed_auth(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """Start it; its browsers are those of `browser_of`."""
    simulator = {"redirect_uris": f"{PUBLIC_URL}/callback", "client_secret": _SECRET}
    async with auth_under_test(
        database_url,
        simulator=simulator,
        auth_public_url=PUBLIC_URL,
        auth_encryption_keys=f"k1:{_ENCRYPTION_KEY}",
    ) as auth:
        auth.apps[PUBLIC_URL] = auth.apps[ISSUER]
        yield auth


def browser_of(deployed: AuthUnderTest) -> httpx.AsyncClient:
    """A new browser, which knows the server by its public URL."""
    browser = deployed.new_browser()
    browser.base_url = httpx.URL(PUBLIC_URL)
    return browser
