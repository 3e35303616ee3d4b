"""A whole MCP service in this process: fake auth and todo-api, real everything in between."""

import base64
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.inbound import encode_header_value
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from mcp_server.app import run_public_app
from mcp_server.handle_verifier import HandleVerifier
from mcp_server.settings import Settings
from mcp_server.todo_client import Todo, TodoApiError, TodoNotFound, TodoPage

RESOURCE = "http://localhost:8081/mcp"
ISSUER = "http://localhost:8080"
NOW = 1_800_000_000.0
BOTH_SCOPES = "todo_api:read todo_api:write"
MODERN = "2026-07-28"
LEGACY = "2025-11-25"


def make_handle(body: str = "a" * 43, prefix: str = "mcpat_") -> str:
    """Build a handle with a right checksum."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = zlib.crc32((prefix + body).encode())
    checksum = "".join(alphabet[number // 62**place % 62] for place in range(5, -1, -1))
    return prefix + body + checksum


def make_jwt(claims: str = '{"iss":"https://auth.pingone.eu/env/as","sub":"alice"}') -> str:
    """Build something that looks like a JWT; nobody here verifies it."""
    parts = (b'{"alg":"RS256","kid":"1"}', claims.encode(), b"signature")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def make_answer(**changes: Any) -> dict[str, Any]:
    """Build auth's active answer."""
    return {
        "active": True,
        "scope": BOTH_SCOPES,
        "client_id": "client-1",
        "username": "Alice Example",
        "token_type": "Bearer",
        "exp": int(NOW) + 600,
        "iat": int(NOW),
        "sub": "alice",
        "aud": RESOURCE,
        "iss": ISSUER,
        "grant_id": "grant-1",
        "downstream_token": {
            "access_token": make_jwt(),
            "token_type": "Bearer",
            "expires_at": int(NOW) + 3600,
            "audience": "https://todo.api.com",
            "scope": BOTH_SCOPES,
        },
    } | changes


class FakeAuth:
    """Answers introspections from a table; unknown handles are inactive."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []

    async def __call__(self, raw_handle: str) -> dict[str, Any]:
        self.asked.append(raw_handle)
        answer = self.answers.get(raw_handle, {"active": False})
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


class FakeTodoApi:
    """Keeps todos by downstream token; `failures` are raised first, one a call."""

    def __init__(self) -> None:
        self.todos: dict[str, dict[str, Todo]] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.failures: list[TodoApiError] = []

    def _begin(self, *call: Any) -> None:
        self.calls.append(call)
        if self.failures:
            raise self.failures.pop(0)

    async def list_todos(
        self, access_token: str, *, completed: bool | None, cursor: str | None, limit: int
    ) -> TodoPage:
        self._begin("list", access_token, completed, cursor, limit)
        mine = self.todos.get(access_token, {}).values()
        wanted = [todo for todo in mine if completed is None or todo.completed == completed]
        return TodoPage(todos=wanted[:limit], next_cursor=None)

    async def create_todo(self, access_token: str, *, text: str) -> Todo:
        self._begin("create", access_token, text)
        moment = datetime.fromtimestamp(NOW, UTC)
        todo_id = str(uuid5(NAMESPACE_URL, text))
        todo = Todo(id=todo_id, text=text, completed=False, created_at=moment, updated_at=moment)
        self.todos.setdefault(access_token, {})[todo_id] = todo
        return todo

    async def get_todo(self, access_token: str, *, todo_id: str) -> Todo:
        self._begin("get", access_token, todo_id)
        if todo_id not in self.todos.get(access_token, {}):
            raise TodoNotFound
        return self.todos[access_token][todo_id]

    async def set_todo_status(self, access_token: str, *, todo_id: str, completed: bool) -> Todo:
        self._begin("set", access_token, todo_id, completed)
        if todo_id not in self.todos.get(access_token, {}):
            raise TodoNotFound
        todo = self.todos[access_token][todo_id].model_copy(update={"completed": completed})
        self.todos[access_token][todo_id] = todo
        return todo

    async def delete_todo(self, access_token: str, *, todo_id: str) -> None:
        self._begin("delete", access_token, todo_id)
        if self.todos.get(access_token, {}).pop(todo_id, None) is None:
            raise TodoNotFound


@dataclass
class World:
    """What surrounds the service, and the ways in."""

    auth: FakeAuth = field(default_factory=FakeAuth)
    todo_api: FakeTodoApi = field(default_factory=FakeTodoApi)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    variables: dict[str, Any] = field(default_factory=dict)
    outcomes: list[str] = field(default_factory=list)
    now: float = NOW
    monotonic: float = 0.0
    hears_revocations: bool = True

    def settings(self) -> Settings:
        """The settings of a development machine, with this world's changes."""
        return Settings(
            **{
                "mcp_resource": RESOURCE,
                "auth_issuer": ISSUER,
                "auth_internal_url": "http://localhost:8090",
                "introspection_client_id": "mcp",
                "introspection_client_secret": "development",
                "api_url": "http://localhost:8082",
            }
            | self.variables
        )

    def verifier(self, **changes: Any) -> HandleVerifier:
        """A verifier on this world's clocks and fake auth."""
        arguments: dict[str, Any] = {
            "resource": self.settings().mcp_resource,
            "issuer": ISSUER,
            "cache_seconds": 5.0,
            "now": lambda: self.now,
            "monotonic": lambda: self.monotonic,
            "hears_revocations": lambda: self.hears_revocations,
            "count": self.outcomes.append,
        }
        return HandleVerifier(self.auth, **arguments | changes)

    def sign_in(self, letter: str = "a", **changes: Any) -> str:
        """Let auth know a handle and return it."""
        raw_handle = make_handle(letter * 43)
        self.auth.answers[raw_handle] = make_answer(**changes)
        return raw_handle

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Door"]:
        """Run the public application."""
        async with run_public_app(
            self.settings(),
            self.verifier(),
            self.todo_api,
            self.registry,
            monotonic=lambda: self.monotonic,
        ) as app:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost:8081"
            ) as http:
                yield Door(app, http)

    def count(self, name: str, **labels: str) -> float:
        """Read a metric."""
        return self.registry.get_sample_value(name, labels) or 0.0


@dataclass
class Door:
    """The front door: raw HTTP requests and the SDK's own client."""

    app: ASGIApp
    http: httpx.AsyncClient

    @asynccontextmanager
    async def client(
        self, raw_handle: str, mode: str = "auto", **options: Any
    ) -> AsyncIterator[Client]:
        """The SDK's client, signed in with a handle."""
        async with (
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=self.app),
                headers={"Authorization": f"Bearer {raw_handle}"},
            ) as http,
            Client(
                streamable_http_client(RESOURCE, http_client=http), mode=mode, **options
            ) as client,
        ):
            yield client

    def request(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        handle: str | None,
        version: str = MODERN,
        headers: dict[str, str] | None = None,
        path: str = "/mcp",
        capabilities: dict[str, Any] | None = None,
    ) -> httpx.Request:
        """Build one JSON-RPC request as a client of either era would send it."""
        params = dict(params or {})
        sent = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": version}
        if handle is not None:
            sent["Authorization"] = f"Bearer {handle}"
        if version == MODERN:
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": capabilities or {},
            }
            sent["Mcp-Method"] = method
            if "name" in params:
                sent["Mcp-Name"] = encode_header_value(params["name"])
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        merged = httpx.Headers(sent)
        merged.update(headers)
        return self.http.build_request("POST", path, json=message, headers=merged)

    async def post(
        self, method: str, params: dict[str, Any] | None = None, **request: Any
    ) -> httpx.Response:
        """Send one JSON-RPC request; see `request`."""
        return await self.http.send(self.request(method, params, **request))

    async def call(
        self, tool: str, arguments: dict[str, Any] | None = None, **request: Any
    ) -> httpx.Response:
        """Send one tools/call."""
        return await self.post(
            "tools/call", {"name": tool, "arguments": arguments or {}}, **request
        )


@pytest.fixture
def world() -> World:
    """A fresh world."""
    return World()


@pytest.fixture(params=[MODERN, LEGACY])
def era(request: pytest.FixtureRequest) -> str:
    """Each protocol version whose wire form we serve."""
    return str(request.param)


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    """Each way the SDK's client connects."""
    return str(request.param)
