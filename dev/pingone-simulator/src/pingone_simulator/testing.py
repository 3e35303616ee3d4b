"""For tests: a clock that stands still, and a client with a person at its browser.

httpx is a dependency of the tests, not of the simulator; nothing that serves imports this module.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from itsdangerous.encoding import base64_encode

from pingone_simulator.settings import SimulatorSettings
from pingone_simulator.simulator import Simulator

CODE_VERIFIER = "a-code-verifier-of-at-least-forty-three-characters"
CODE_CHALLENGE = base64_encode(hashlib.sha256(CODE_VERIFIER.encode()).digest()).decode()

Change = str | None
# Starts a simulator with changed settings and returns its client.
Start = Callable[..., "RelyingParty"]


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the present moment."""
        return self._now

    def advance(self, **duration: float) -> None:
        """Let time pass: advance(seconds=30), advance(days=1)."""
        self._now += timedelta(**duration)


class RelyingParty:
    """The registered client, driven through the front door.

    Methods take changes to their usual parameters; the value None leaves a parameter out.
    """

    def __init__(
        self, browser: httpx.AsyncClient, settings: SimulatorSettings, simulator: Simulator
    ) -> None:
        self.browser = browser
        self.simulator = simulator
        self.settings = settings
        self.issuer = settings.issuer
        self.credentials = (settings.client_id, settings.client_secret.get_secret_value())

    async def authorize(self, **changes: Change) -> httpx.Response:
        """Send the browser to /authorize."""
        parameters = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.redirect_uris[0],
            "scope": "openid profile email todo_api:read todo_api:write",
            "state": "the-state",
            "nonce": "the-nonce",
            "code_challenge": CODE_CHALLENGE,
            "code_challenge_method": "S256",
        }
        query = _changed(parameters, changes)
        return await self.browser.get(f"{self.issuer}/authorize", params=query)

    async def submit(self, page: httpx.Response, **changes: Change) -> httpx.Response:
        """Fill in the sign-on page as alice, and press Sign on."""
        form = _Form(page.text)
        fields = {**form.hidden, "username": "alice", "password": "alice", "action": "sign_on"}
        return await self.browser.post(form.action, data=_changed(fields, changes))

    async def obtain_code(self, *, username: str = "alice", **changes: Change) -> str:
        """Authorize, signing on if asked, and return the code."""
        response = await self.authorize(**changes)
        if response.status_code == httpx.codes.OK:
            response = await self.submit(response, username=username, password=username)
        return redirect_query(response)["code"]

    async def exchange(self, code: str, /, **changes: Change) -> httpx.Response:
        """Exchange a code at /token."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect_uris[0],
            "code_verifier": CODE_VERIFIER,
        }
        return await self.post("token", **(form | changes))

    async def obtain_tokens(self, *, username: str = "alice", **changes: Change) -> dict[str, Any]:
        """Authorize, sign on if asked, exchange the code, and return the token response."""
        response = await self.exchange(await self.obtain_code(username=username, **changes))
        tokens: dict[str, Any] = response.raise_for_status().json()
        return tokens

    async def refresh(self, refresh_token: str, /, **changes: Change) -> httpx.Response:
        """Exchange a refresh token at /token."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self.post("token", **(form | changes))

    async def post(self, endpoint: str, **form: Change) -> httpx.Response:
        """Post a form to an endpoint, authenticated by client_secret_basic."""
        return await self.browser.post(
            f"{self.issuer}/{endpoint}", data=_changed(form, {}), auth=self.credentials
        )

    async def control(self, method: str, path: str, document: object = None) -> httpx.Response:
        """Send a request to one of the simulator's own endpoints, outside the issuer's path."""
        origin = self.issuer.removesuffix(self.settings.issuer_path)
        return await self.browser.request(method, f"{origin}{path}", json=document)

    async def userinfo(self, access_token: str) -> httpx.Response:
        """Ask who the token speaks for."""
        headers = {"Authorization": f"Bearer {access_token}"}
        return await self.browser.get(f"{self.issuer}/userinfo", headers=headers)

    async def signoff(self, **query: str) -> httpx.Response:
        """Send the browser to /signoff."""
        return await self.browser.get(f"{self.issuer}/signoff", params=query)


def redirect_query(response: httpx.Response) -> dict[str, str]:
    """Return the parameters of a redirect's target; raise ValueError when it is no redirect."""
    if not response.has_redirect_location:
        raise ValueError(f"expected a redirect, got {response.status_code}: {response.text[:300]}")
    query = parse_qs(urlsplit(response.headers["location"]).query, strict_parsing=True)
    return {name: values[0] for name, values in query.items()}


class _Form(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.action = ""
        self.hidden: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = attributes["action"]
        if tag == "input" and attributes.get("type") == "hidden":
            self.hidden[attributes["name"]] = attributes["value"]


def _changed(parameters: dict[str, Any], changes: dict[str, Change]) -> dict[str, str]:
    return {name: value for name, value in (parameters | changes).items() if value is not None}
