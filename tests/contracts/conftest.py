"""Two sides of each contract meet here: the server's own application, the client's own code."""

import functools
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from auth_harness import (
    API,
    INTERNAL,
    INTROSPECTION_CLIENT,
    ISSUER,
    RESOURCE,
    AuthUnderTest,
    auth_under_test,
)
from prometheus_client import CollectorRegistry
from revocation_streams import served
from starlette.types import ASGIApp
from uuid_utils.compat import uuid7

from auth_server.storage.schema import upgrade
from mcp_server.handle_verifier import AiohttpIntrospector
from mcp_server.handle_verifier.verified_handle import VerifiedHandle, read_answer
from mcp_server.todo_client import AiohttpTodoApi
from todo_api.app import create_public_app, create_verifier
from todo_api.settings import TodoApiSettings
from todo_api.todo_store.database import Database
from todo_api.todo_store.migrate import migrate
from todo_api.todo_store.store import TodoStore

CEILING = 101

Introspect = Callable[[str], Awaitable[dict[str, Any]]]
Vouch = Callable[..., Awaitable[VerifiedHandle]]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a migrated, empty database of each service."""
    folder = tmp_path_factory.mktemp("contracts")
    upgrade(f"sqlite+aiosqlite:///{folder}/auth.db")
    migrate(f"sqlite+aiosqlite:///{folder}/todo.db")
    return folder


@pytest_asyncio.fixture
async def auth(migrated: Path, tmp_path: Path) -> AsyncIterator[AuthUnderTest]:
    """The authorization server with its simulator, in this process."""
    file = shutil.copy(migrated / "auth.db", tmp_path / "auth.db")
    async with auth_under_test(f"sqlite+aiosqlite:///{file}") as auth:
        yield auth


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """The HTTP session of the MCP server."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture
async def introspect(
    auth: AuthUnderTest, session: aiohttp.ClientSession
) -> AsyncIterator[Introspect]:
    """The MCP server's introspection call, answered by the real endpoint."""
    async with served(auth.apps[INTERNAL]) as url:
        client_id, client_secret = INTROSPECTION_CLIENT
        yield AiohttpIntrospector(
            session, auth_internal_url=url, client_id=client_id, client_secret=client_secret
        )


@pytest.fixture
def vouch(auth: AuthUnderTest, introspect: Introspect) -> Vouch:
    """Sign in with these scopes, and read the handle as the MCP server does."""

    async def vouch(scope: str = "todo_api:read todo_api:write") -> VerifiedHandle:
        handles = await auth.obtain_handles(scope=scope)
        answer = await introspect(handles["access_token"])
        now = auth.clock().timestamp()
        return read_answer(answer, resource=RESOURCE, issuer=ISSUER, now=now)

    return vouch


@pytest_asyncio.fixture
async def todo_api(
    auth: AuthUnderTest, session: aiohttp.ClientSession, migrated: Path, tmp_path: Path
) -> AsyncIterator[AiohttpTodoApi]:
    """The MCP server's client of the API, answered by the real API, which trusts the simulator."""
    settings = TodoApiSettings(
        todo_public_url="http://localhost:8082",
        api_issuer=auth.simulator.issuer,
        api_audience=API,
    )
    file = shutil.copy(migrated / "todo.db", tmp_path / "todo.db")
    async with AsyncExitStack() as resources:
        database = Database.open(f"sqlite+aiosqlite:///{file}")
        resources.push_async_callback(database.close)
        verifier = create_verifier(
            settings, auth.pingone.fetch, now=auth.clock, monotonic=auth.clock.monotonic
        )
        store = TodoStore(database, new_id=uuid7, now=auth.clock, max_per_owner=CEILING)
        app = create_public_app(store, verifier, CollectorRegistry())
        yield AiohttpTodoApi(session, api_url=await resources.enter_async_context(served(app)))


@pytest.fixture
def let_time_pass(auth: AuthUnderTest) -> Callable[[timedelta], None]:
    """Move everybody's clock."""
    return lambda span: auth.clock.advance(seconds=span.total_seconds())


@pytest.fixture
def serve() -> Callable[[ASGIApp], AbstractAsyncContextManager[str]]:
    """Serve an application on a socket."""
    return served


@pytest.fixture
def start_auth(
    migrated: Path, tmp_path: Path
) -> Callable[..., AbstractAsyncContextManager[AuthUnderTest]]:
    """Start an authorization server with changed settings."""
    file = shutil.copy(migrated / "auth.db", tmp_path / "other-auth.db")
    return functools.partial(auth_under_test, f"sqlite+aiosqlite:///{file}")
