"""The authorization server under test: in process, through its front door, beside a real simulator.

One browser (with a cookie jar, following redirects only when told), one MCP client and one resource
server talk to the public and the internal application and to PingOne's stand-in over ASGI.
"""

import asyncio
import hashlib
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import httpx2
from joserfc.jwk import RSAKey
from published_documents import PublishedDocuments
from starlette.types import ASGIApp

from auth_server.app import Resources, create_internal_app, create_public_app, open_resources
from auth_server.client_documents.documents import FetchDocument
from auth_server.flows.sweep_expired import SweepExpired
from auth_server.settings import AuthSettings
from pingone_simulator.app import create_app as create_simulator
from pingone_simulator.settings import SimulatorSettings
from pingone_simulator.simulator import Simulator
from service_kit.health import Lifecycle
from service_kit.http_client import FetchFailed, parse_json_object

ISSUER = "http://localhost:8080"
INTERNAL = "http://localhost:8090"
RESOURCE = "http://localhost:8081/mcp"
API = "https://todo.api.com"
REDIRECT_URI = "http://127.0.0.1:33418/callback"
CODE_VERIFIER = "v" * 43
CODE_CHALLENGE = (
    urlsafe_b64encode(hashlib.sha256(CODE_VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
INTROSPECTION_CLIENT = ("mcp", "the-mcp-server-introspects-with-this")

_SIMULATOR_KEY = RSAKey.generate_key(2048, auto_kid=True)

Change = str | list[str] | None
PassOn = Callable[[httpx2.Request], Awaitable[httpx2.Response]]


class Clock:
    """Time that passes only when told to; monotonic seconds pass with it."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The present moment."""
        return self._now

    def monotonic(self) -> float:
        """The present moment in seconds."""
        return self._now.timestamp()

    def advance(self, **duration: float) -> None:
        """Let time pass: advance(seconds=30), advance(days=1)."""
        self._now += timedelta(**duration)


class PingOneTransport(httpx2.AsyncBaseTransport):
    """auth's connection to the simulator.

    `fail_with` makes PingOne unreachable, or odd; a request that it answers with None goes its way.
    `intercept` stands in between: it may hold the request, pass it on, and change or lose the
    answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._inner = httpx2.ASGITransport(app)
        self.fail_with: Callable[[httpx2.Request], httpx2.Response | None] | None = None
        self.intercept: Callable[[httpx2.Request, PassOn], Awaitable[httpx2.Response]] | None = None
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Pass the request on, unless PingOne is to fail."""
        self.requests.append(request)
        if self.fail_with is not None and (failure := self.fail_with(request)) is not None:
            return failure
        if self.intercept is not None:
            return await self.intercept(request, self._inner.handle_async_request)
        return await self._inner.handle_async_request(request)

    async def fetch(self, url: str) -> dict[str, Any]:
        """The JsonFetcher over this connection."""
        response = await self.handle_async_request(httpx2.Request("GET", url))
        if response.status_code != 200:
            raise FetchFailed(f"{url} answered {response.status_code}")
        return parse_json_object(url, await response.aread())


class _Form(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = attributes["action"]
        if tag == "input" and attributes.get("type") == "hidden":
            self.fields[attributes["name"]] = attributes["value"]


def _refuse_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"nothing in this test answers at {request.url.host}")


def form_of(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of the page's form."""
    return _Form(page.text).fields


def redirect_query(response: httpx.Response) -> dict[str, str]:
    """The parameters of a redirect's target; the response must be one."""
    assert response.has_redirect_location, f"{response.status_code}: {response.text[:500]}"
    query = parse_qs(urlsplit(response.headers["location"]).query, strict_parsing=True)
    return {name: values[0] for name, values in query.items()}


@dataclass
class AuthUnderTest:
    """Everything that a test needs to hold in its hands."""

    resources: Resources
    simulator: Simulator
    pingone: PingOneTransport
    clock: Clock
    apps: dict[str, ASGIApp]
    published: PublishedDocuments
    client_id: str = ""
    _browsers: list[httpx.AsyncClient] = field(default_factory=list)

    def new_browser(self) -> httpx.AsyncClient:
        """A person's browser with an empty cookie jar; it shows redirects instead of following."""
        browser = httpx.AsyncClient(
            base_url=ISSUER,
            # In place of the network, whose TLS set-up would be most of a test's time.
            transport=httpx.MockTransport(_refuse_connection),
            mounts={
                origin: httpx.ASGITransport(app, raise_app_exceptions=False)
                for origin, app in self.apps.items()
            },
        )
        self._browsers.append(browser)
        return browser

    async def register(self, **changes: Any) -> dict[str, Any]:
        """Register a public client, changed as told, and return the answer."""
        document = {
            "client_name": "A test client",
            "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        }
        document = {k: v for k, v in (document | changes).items() if v is not None}
        response = await self.anyone.post("/register", json=document)
        assert response.status_code == 201, response.text
        registered: dict[str, Any] = response.json()
        return registered

    @property
    def anyone(self) -> httpx.AsyncClient:
        """A caller without cookies: a client's back channel."""
        return self._browsers[0]

    async def authorize(self, browser: httpx.AsyncClient, **changes: Change) -> httpx.Response:
        """Send a browser to /authorize with a request that is right except for the changes."""
        parameters: dict[str, Change] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "state": "the-clients-state",
            "code_challenge": CODE_CHALLENGE,
            "code_challenge_method": "S256",
            "scope": "todo_api:read todo_api:write",
            "resource": RESOURCE,
        }
        query = {k: v for k, v in (parameters | changes).items() if v is not None}
        return await browser.get("/authorize", params=query)

    async def decide(
        self, browser: httpx.AsyncClient, page: httpx.Response, decision: str = "allow"
    ) -> httpx.Response:
        """Press a button of a consent page."""
        return await browser.post("/consent", data={**form_of(page), "decision": decision})

    async def sign_on(
        self, browser: httpx.AsyncClient, to_pingone: httpx.Response, username: str = "alice"
    ) -> httpx.Response:
        """Follow a redirect to PingOne, sign on if asked, and return the redirect to /callback."""
        response = await browser.get(to_pingone.headers["location"])
        if response.status_code == httpx.codes.OK:
            form = _Form(response.text)
            fields = {**form.fields, "username": username, "password": username}
            response = await browser.post(
                httpx.URL(str(response.url)).join(form.action),
                data={**fields, "action": "sign_on"},
            )
        assert response.has_redirect_location, response.text[:500]
        return response

    async def back(self, browser: httpx.AsyncClient, redirect: httpx.Response) -> httpx.Response:
        """Follow PingOne's redirect to /callback."""
        return await browser.get(redirect.headers["location"])

    async def obtain_code(
        self, browser: httpx.AsyncClient | None = None, username: str = "alice", **changes: Change
    ) -> str:
        """Authorize, consent and sign on as far as asked; return the code for the client."""
        browser = browser or self.new_browser()
        response = await self.authorize(browser, **changes)
        if response.status_code == httpx.codes.OK:
            response = await self.decide(browser, response)
        returned = await self.sign_on(browser, response, username)
        return redirect_query(await self.back(browser, returned))["code"]

    async def token(self, **form: Change) -> httpx.Response:
        """Post to /token; None leaves a parameter out."""
        data = {k: v for k, v in ({"client_id": self.client_id} | form).items() if v is not None}
        return await self.anyone.post("/token", data=data)

    async def exchange(self, code: str, **changes: Change) -> httpx.Response:
        """Redeem a code at /token."""
        form: dict[str, Change] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": CODE_VERIFIER,
            "resource": RESOURCE,
        }
        return await self.token(**(form | changes))

    async def refresh(self, refresh_token: str, **changes: Change) -> httpx.Response:
        """Refresh at /token."""
        form: dict[str, Change] = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self.token(**(form | changes))

    async def obtain_handles(
        self, browser: httpx.AsyncClient | None = None, username: str = "alice", **changes: Change
    ) -> dict[str, Any]:
        """The whole way; return the token response."""
        response = await self.exchange(await self.obtain_code(browser, username, **changes))
        assert response.status_code == 200, response.text
        handles: dict[str, Any] = response.json()
        return handles

    async def introspect(self, handle: str, **options: Any) -> httpx.Response:
        """Ask on the internal port as the MCP server."""
        options.setdefault("auth", INTROSPECTION_CLIENT)
        return await self.anyone.post(f"{INTERNAL}/introspect", data={"token": handle}, **options)

    async def is_active(self, handle: str) -> bool:
        """Whether introspection calls the handle active."""
        response = await self.introspect(handle)
        assert response.status_code == 200, response.text
        return bool(response.json()["active"])

    async def sweep(self) -> None:
        """Delete what has expired by now."""
        resources = self.resources
        await SweepExpired(
            resources.database, resources.revoke_grant, resources.lifetimes, resources.now
        ).until_clean()

    async def settle(self) -> None:
        """Await the background work, such as revocations at PingOne."""
        await self.resources.background.drain(5)

    async def close(self) -> None:
        """Close the browsers."""
        for browser in self._browsers:
            await browser.aclose()


@asynccontextmanager
async def auth_under_test(
    database_url: str,
    *,
    simulator: dict[str, Any] | None = None,
    fetch_document: FetchDocument | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    **settings: Any,
) -> AsyncIterator[AuthUnderTest]:
    """Start the server on a migrated database; `settings` and `simulator` change defaults.

    Documents of clients come from `published`, unless `fetch_document` gets them elsewhere.
    """
    clock = Clock()
    simulator_settings = SimulatorSettings(
        **{"redirect_uris": f"{ISSUER}/callback", **(simulator or {})}
    )
    simulator_app = create_simulator(simulator_settings, now=clock, signing_key=_SIMULATOR_KEY)
    transport = PingOneTransport(simulator_app)
    published = PublishedDocuments()

    auth_settings = AuthSettings(
        **{
            "auth_public_url": ISSUER,
            "auth_database_url": database_url,
            "auth_encryption_keys": "k1:" + "A" * 43 + "=",
            "cookie_encryption_key": "a-cookie-key-for-the-tests-only",
            "pingone_issuer": simulator_settings.issuer,
            "mcp_server_client_id": simulator_settings.client_id,
            "mcp_server_client_secret": simulator_settings.client_secret.get_secret_value(),
            "api_identifier": API,
            "mcp_resource": RESOURCE,
            "introspection_client_id": INTROSPECTION_CLIENT[0],
            "introspection_client_secret": INTROSPECTION_CLIENT[1],
            **settings,
        }
    )
    async with open_resources(
        auth_settings,
        now=clock,
        monotonic=clock.monotonic,
        fetch=transport.fetch,
        transport=transport,
        fetch_document=fetch_document or published,
        sleep=sleep,
    ) as resources:
        auth = AuthUnderTest(
            resources=resources,
            simulator=simulator_app.state.simulator,
            pingone=transport,
            clock=clock,
            apps={
                ISSUER: create_public_app(resources),
                INTERNAL: create_internal_app(resources, Lifecycle()),
                "http://localhost:9080": simulator_app,
            },
            published=published,
        )
        auth.new_browser()
        auth.client_id = (await auth.register())["client_id"]
        yield auth
        await auth.close()
