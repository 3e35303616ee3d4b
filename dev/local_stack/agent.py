"""An MCP client as an agent's host embeds it: the SDK's Client and its OAuthClientProvider.

Every HTTP exchange of the client can be watched; nothing it sends is made up here.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from local_stack.browser import Browser, Person, Visit

REDIRECT_URI: Final = "http://127.0.0.1:33418/callback"
STAYS_SIGNED_IN: Final = ("authorization_code", "refresh_token")
_TIMEOUT_SECONDS: Final = 15.0


class AuthorizationRefused(Exception):
    """The authorization server sent an error instead of a code; the text is its error code."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of the client and its response."""

    method: str
    url: str
    request_headers: dict[str, str] = field(repr=False)
    request_body: bytes = field(repr=False)
    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """The path of the URL."""
        return urlsplit(self.url).path

    @property
    def form(self) -> dict[str, str]:
        """The parameters of a form that was sent."""
        return dict(parse_qsl(self.request_body.decode("utf-8")))

    @property
    def sent(self) -> dict[str, Any]:
        """The JSON object that was sent; empty if it was none."""
        return _json_object(self.request_body)

    @property
    def received(self) -> dict[str, Any]:
        """The JSON object that was received; empty if it was none."""
        return _json_object(self.body)


ExchangeListener = Callable[[Exchange], None]
VisitListener = Callable[[str, Visit], None]


class Memory(TokenStorage):
    """What a client keeps between connections: its registration and its tokens."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client_info: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """Return the tokens kept."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep tokens."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Return the registration kept."""
        return self.client_info

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep a registration."""
        self.client_info = client_info


class Agent:
    """One installation of a client, used by one person in one browser."""

    def __init__(
        self,
        mcp_url: str,
        browser: Browser,
        person: Person,
        *,
        name: str = "Demo agent",
        grant_types: tuple[str, ...] = STAYS_SIGNED_IN,
        client_metadata_url: str | None = None,
        on_exchange: ExchangeListener | None = None,
        on_visit: VisitListener | None = None,
    ) -> None:
        self.mcp_url = mcp_url
        self.browser = browser
        self.person = person
        self.memory = Memory()
        self.exchanges: list[Exchange] = []
        self.visits: list[Visit] = []
        self._name = name
        self._grant_types = grant_types
        self._client_metadata_url = client_metadata_url
        self._on_exchange = on_exchange
        self._on_visit = on_visit
        self._current: OAuthClientProvider | None = None

    @property
    def access_handle(self) -> str:
        """The raw access handle it holds now; raises LookupError without one."""
        if self.memory.tokens is None:
            raise LookupError("the client holds no handle")
        return self.memory.tokens.access_token

    @property
    def handle_has_expired(self) -> bool:
        """True if the connected client considers its handle expired and will refresh it."""
        return self._current is not None and not self._current.context.is_token_valid()

    @asynccontextmanager
    async def connect(
        self, mode: str = "auto", *, ask: ElicitationFnT | None = None
    ) -> AsyncIterator[Client]:
        """Connect with what is remembered; `mode` is the SDK's: auto (2026-07-28) or legacy.

        With `ask`, which answers for the person, the client declares that it can show forms.
        """
        self._current = self._provider()
        async with (
            _http_client(self._current, self._watch) as http,
            Client(
                streamable_http_client(self.mcp_url, http_client=http),
                mode=mode,
                elicitation_callback=ask,
            ) as client,
        ):
            yield client

    async def post(
        self, url: str, *, form: dict[str, str] | None = None, document: object = None
    ) -> Exchange:
        """Send one request with the handle it holds, outside the SDK and its OAuth flow."""
        headers = {"Accept": "application/json, text/event-stream"}
        if form is None:
            headers["Authorization"] = f"Bearer {self.access_handle}"
        async with _http_client() as http:
            response = await http.post(url, data=form, json=document, headers=headers)
        exchange = await _exchange_of(response)
        self.exchanges.append(exchange)
        return exchange

    def _provider(self) -> OAuthClientProvider:
        arrived: list[Visit] = []

        async def open_browser(authorization_url: str) -> None:
            visit = await self.browser.visit(
                authorization_url, redirect_uri=REDIRECT_URI, person=self.person
            )
            arrived.append(visit)
            self.visits.append(visit)
            if self._on_visit is not None:
                self._on_visit(authorization_url, visit)

        async def read_answer() -> AuthorizationCodeResult:
            answer = arrived.pop().answer
            if "code" not in answer:
                raise AuthorizationRefused(answer.get("error", "no code and no error"))
            return AuthorizationCodeResult(
                code=answer["code"], state=answer.get("state"), iss=answer.get("iss")
            )

        metadata = OAuthClientMetadata(
            client_name=self._name,
            redirect_uris=[AnyUrl(REDIRECT_URI)],
            grant_types=list(self._grant_types),
            token_endpoint_auth_method="none",  # noqa: S106  (a public client: it has no secret)
        )
        return OAuthClientProvider(
            self.mcp_url,
            metadata,
            self.memory,
            open_browser,
            read_answer,
            client_metadata_url=self._client_metadata_url,
        )

    async def _watch(self, response: httpx2.Response) -> None:
        exchange = await _exchange_of(response)
        self.exchanges.append(exchange)
        if self._on_exchange is not None:
            self._on_exchange(exchange)


def _http_client(
    provider: OAuthClientProvider | None = None,
    *listeners: Callable[[httpx2.Response], Awaitable[None]],
) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        auth=provider,
        timeout=_TIMEOUT_SECONDS,
        trust_env=False,
        event_hooks={"request": [], "response": list(listeners)},
    )


async def _exchange_of(response: httpx2.Response) -> Exchange:
    await response.aread()
    return Exchange(
        method=response.request.method,
        url=str(response.request.url),
        request_headers=dict(response.request.headers),
        request_body=response.request.content,
        status=response.status_code,
        headers=dict(response.headers),
        body=response.content,
    )


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
