"""A client that does what a profile says, as strictly as the strictest of the real ones.

It believes nothing it has not discovered: from the URL of the MCP server it finds the metadata of
the resource, the authorization server and its endpoints, and it refuses what those would refuse.
"""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
import httpx2
from e2e.clients.profile import ClientProfile, Step
from joserfc import jwt
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from local_stack.browser import Browser, Person, Visit

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
WELL_KNOWN_RESOURCE: Final = "/.well-known/oauth-protected-resource"
WELL_KNOWN_SERVER: Final = "/.well-known/oauth-authorization-server"
QUESTION: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
_ASSERTION_SECONDS: Final = 60
_CHALLENGE_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')

Tokens = dict[str, Any]


class ScriptedClient:
    """One installation of the client that a profile describes, used by one person."""

    def __init__(
        self,
        profile: ClientProfile,
        mcp_url: str,
        http: httpx.AsyncClient,
        browser: Browser,
        person: Person,
    ) -> None:
        self.profile = profile
        self.mcp_url = mcp_url
        self.person = person
        self.client_id = ""
        self.metadata: dict[str, Any] = {}
        self.challenged_scope = ""
        self.tokens: Tokens = {}
        self.visits: list[Visit] = []
        self._http = http
        self._browser = browser

    async def connect(self, scope: str | None = None) -> Tokens:
        """From the URL alone to handles: discover, become known, have the person decide."""
        await self.discover()
        await self.identify()
        return await self.sign_in(scope)

    async def discover(self) -> None:
        """401, the metadata of the resource in all three places, that of the server."""
        refusal = await self._http.post(self.mcp_url, json=QUESTION, headers=_mcp_headers())
        assert refusal.status_code == 401
        challenge = parse_challenge(refusal.headers["www-authenticate"])
        assert "error" not in challenge  # RFC 6750 3.1: nothing was presented
        self.challenged_scope = challenge["scope"]
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(self.mcp_url))
        documents = [
            await self._document(url)
            for url in (
                challenge["resource_metadata"],
                f"{origin}{WELL_KNOWN_RESOURCE}{urlsplit(self.mcp_url).path}",
                f"{origin}{WELL_KNOWN_RESOURCE}",
            )
        ]
        assert documents[0] == documents[1] == documents[2]
        assert documents[0]["resource"] == self.mcp_url  # as typed, not one character more
        issuer = documents[0]["authorization_servers"][0]
        self.metadata = await self._document(f"{issuer}{WELL_KNOWN_SERVER}")
        assert self.metadata["issuer"] == issuer  # RFC 8414 3.3
        assert "S256" in self.metadata["code_challenge_methods_supported"]
        assert self.metadata["authorization_response_iss_parameter_supported"] is True

    async def identify(self) -> None:
        """Register, or take the URL of the document if the server says that it knows what it is."""
        if self.profile.registration is not None:
            self.client_id = (await self.register())["client_id"]
            return
        assert self.profile.document is not None
        # Claude registers, silently, unless it sees both.
        assert self.metadata["client_id_metadata_document_supported"] is True
        assert "none" in self.metadata["token_endpoint_auth_methods_supported"]
        self.client_id = self.profile.document["client_id"]

    async def register(self) -> dict[str, Any]:
        """Send the body as the client does; what comes back must be no less than was asked for."""
        body = self.profile.registration
        assert body is not None
        response = await self._http.post(self.metadata["registration_endpoint"], json=body)
        assert response.status_code == 201, response.text
        assert response.headers["cache-control"] == "no-store"
        registered: dict[str, Any] = response.json()
        assert registered["redirect_uris"] == body["redirect_uris"]
        assert registered["token_endpoint_auth_method"] == body["token_endpoint_auth_method"]
        assert "client_secret" not in registered
        return registered

    async def sign_in(self, scope: str | None = None) -> Tokens:
        """An authorization request, the person's decisions, the exchange of the code."""
        verifier = secrets.token_urlsafe(32)
        visit = await self.authorize(scope, verifier)
        response = await self.token_request(
            "token",
            grant_type="authorization_code",
            code=visit.answer["code"],
            code_verifier=verifier,
            redirect_uri=self.profile.redirect_uri,
        )
        self.tokens = accepted_tokens(response)
        return self.tokens

    async def authorize(self, scope: str | None, verifier: str) -> Visit:
        """Open the authorization request; the answer must carry our state and its issuer."""
        request = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.profile.redirect_uri,
            "code_challenge": _s256(verifier),
            "code_challenge_method": "S256",
            "state": self.profile.state,
            "scope": scope or self.profile.scope or self.challenged_scope,
            **self._resource_at("authorize"),
            **self.profile.parameters,
        }
        visit = await self._browser.visit(
            f"{self.metadata['authorization_endpoint']}?{urlencode(request)}",
            redirect_uri=self.profile.redirect_uri,
            person=self.person,
        )
        self.visits.append(visit)
        assert visit.answer["state"] == self.profile.state
        assert visit.answer["iss"] == self.metadata["issuer"]  # RFC 9207 2.4
        return visit

    async def refresh(self, raw_handle: str | None = None) -> Tokens:
        """Refresh, and keep what comes back."""
        self.tokens = accepted_tokens(await self.refresh_request(raw_handle))
        return self.tokens

    async def refresh_request(
        self, raw_handle: str | None = None, *, egress: str | None = None, **parameters: str
    ) -> httpx.Response:
        """The refresh as it is sent; egress is the address that a proxy in front would report."""
        return await self.token_request(
            "refresh",
            egress=egress,
            grant_type="refresh_token",
            refresh_token=raw_handle or self.tokens["refresh_token"],
            **parameters,
        )

    async def token_request(
        self, step: Step, *, egress: str | None = None, **parameters: str
    ) -> httpx.Response:
        """A request to the token endpoint, authenticated as the client's profile says."""
        form = {**self._authentication(), **self._resource_at(step), **parameters}
        headers = {"X-Forwarded-For": egress} if egress else {}
        return await self._http.post(self.metadata["token_endpoint"], data=form, headers=headers)

    async def revoke(self) -> None:
        """End the grant (RFC 7009)."""
        form = {**self._authentication(), "token": self.tokens["refresh_token"]}
        response = await self._http.post(self.metadata["revocation_endpoint"], data=form)
        assert response.status_code == 200

    @asynccontextmanager
    async def tools(self, mode: str) -> AsyncIterator[Client]:
        """The MCP server's tools, with the handle held now; mode is the SDK's: auto or legacy."""
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        async with (
            httpx2.AsyncClient(headers=headers, trust_env=False) as http,
            Client(streamable_http_client(self.mcp_url, http_client=http), mode=mode) as client,
        ):
            yield client

    async def post_tool_call(self, tool: str, **arguments: Any) -> httpx.Response:
        """One tool call as a bare request: what is refused is refused by HTTP."""
        params = {"name": tool, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = _mcp_headers() | {"Authorization": f"Bearer {self.tokens['access_token']}"}
        return await self._http.post(self.mcp_url, json=message, headers=headers)

    def assertion(self, **changes: Any) -> str:
        """A signed statement of who this client is (RFC 7523 3); None leaves a claim out."""
        key = self.profile.signs_with
        assert key is not None
        now = int(time.time())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.metadata["issuer"],
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
            "jti": secrets.token_urlsafe(16),
        } | changes
        given = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "typ": "JWT", "kid": key.kid}
        return jwt.encode(header, given, key, algorithms=["RS256"])

    def _authentication(self) -> dict[str, str]:
        if self.profile.signs_with is None:
            return {"client_id": self.client_id}
        return {
            "client_id": self.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(),
        }

    def _resource_at(self, step: Step) -> dict[str, str]:
        return {"resource": self.mcp_url} if step in self.profile.resource_at else {}

    async def _document(self, url: str) -> dict[str, Any]:
        response = await self._http.get(url, headers={"Accept": "application/json"})
        assert response.status_code == 200, url
        assert response.headers["content-type"] == "application/json"
        document: dict[str, Any] = response.json()
        return document


def accepted_tokens(response: httpx.Response) -> Tokens:
    """The token response, if every client accepts it."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    tokens: Tokens = response.json()
    # Some compare it as a string, whatever RFC 6749 7.1 says about case.
    assert tokens["token_type"] == "Bearer"
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert isinstance(tokens["expires_in"], int)
    return tokens


def refusal_of(response: httpx.Response) -> tuple[int, str]:
    """Status and error code of a refusal, which is JSON and not to be stored."""
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, response.json()["error"]


def parse_challenge(header: str) -> dict[str, str]:
    """The parameters of one Bearer challenge (RFC 6750 3)."""
    scheme, _, parameters = header.partition(" ")
    assert scheme == "Bearer"
    return dict(_CHALLENGE_PARAMETER.findall(parameters))


def _mcp_headers() -> dict[str, str]:
    return {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-11-25",
    }


def _s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
