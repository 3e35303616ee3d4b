"""A login and a token's life step by step, over sockets, at the address that a test chooses."""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

from local_stack.pages import read_page
from local_stack.services import INTROSPECTION_CLIENT_ID

REDIRECT_URI = "http://127.0.0.1:33418/callback"
VERIFIER = "the-verifier-of-a-client-that-lives-on-43-x"
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REGISTRATION = {
    "redirect_uris": [REDIRECT_URI],
    "token_endpoint_auth_method": "none",
    "grant_types": ["authorization_code", "refresh_token"],
}


@dataclass
class LoginSteps:
    """A client and a browser that survive what happens to auth. A method is a step.

    `issuer` and `internal` are where its public and its internal endpoints are reached.
    """

    http: httpx.AsyncClient
    issuer: str
    internal: str
    introspection_secret: str = field(repr=False)
    client_id: str = ""
    username: str = "alice"

    async def register(self) -> None:
        """Register the client (RFC 7591)."""
        answer = await self.http.post(f"{self.issuer}/register", json=REGISTRATION)
        self.client_id = answer.raise_for_status().json()["client_id"]

    async def authorize(self, **changes: str) -> httpx.Response:
        """The consent page."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "the-state-of-the-client",
            "prompt": "consent",
        }
        return await self.http.get(f"{self.issuer}/authorize", params=query | changes)

    async def submit(self, page: httpx.Response, **answers: str) -> httpx.Response:
        """Fill in the form of a page and send it."""
        assert page.status_code == 200, page.text[:500]
        [form] = read_page(str(page.url), page.text).forms
        target = urljoin(str(page.url), form.action)
        return await self.http.post(target, data={**form.values, **answers})

    async def sign_on(self, to_pingone: httpx.Response) -> str:
        """The URL that PingOne sends the browser to: auth's /callback."""
        response = await self.http.get(to_pingone.headers["location"])
        if response.status_code == 200:
            response = await self.submit(
                response, username=self.username, password=self.username, action="sign_on"
            )
        return response.headers["location"]

    async def come_back(self) -> str:
        """All steps up to that URL."""
        return await self.sign_on(await self.submit(await self.authorize(), decision="allow"))

    async def token(self, **form: str) -> httpx.Response:
        """Post to /token."""
        return await self.http.post(
            f"{self.issuer}/token", data={**form, "client_id": self.client_id}
        )

    async def exchange(self, code: str) -> httpx.Response:
        """Redeem a code."""
        form = {"grant_type": "authorization_code", "code": code}
        return await self.token(**form, redirect_uri=REDIRECT_URI, code_verifier=VERIFIER)

    async def refresh(self, refresh_handle: str) -> httpx.Response:
        """Exchange a refresh handle."""
        return await self.token(grant_type="refresh_token", refresh_token=refresh_handle)

    async def revoke(self, handle: str) -> httpx.Response:
        """Give a handle back (RFC 7009)."""
        form = {"token": handle, "client_id": self.client_id}
        return await self.http.post(f"{self.issuer}/revoke", data=form)

    async def introspect(self, handle: str) -> httpx.Response:
        """Ask as the MCP server does."""
        credentials = (INTROSPECTION_CLIENT_ID, self.introspection_secret)
        return await self.http.post(
            f"{self.internal}/introspect", data={"token": handle}, auth=credentials
        )

    async def is_active(self, handle: str) -> bool:
        """What the MCP server is told."""
        answer = await self.introspect(handle)
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["active"])

    async def sign_in(self) -> dict[str, Any]:
        """The whole login: what /token answers."""
        answer = answer_of(await self.http.get(await self.come_back()))
        handles: dict[str, Any] = (await self.exchange(answer["code"])).raise_for_status().json()
        return handles


def answer_of(redirect: httpx.Response) -> dict[str, str]:
    """What the client is told."""
    assert redirect.has_redirect_location, redirect.text[:500]
    assert redirect.headers["location"].startswith(REDIRECT_URI)
    return dict(parse_qsl(urlsplit(redirect.headers["location"]).query))
