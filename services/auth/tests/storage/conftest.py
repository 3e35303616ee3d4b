"""Builders of domain objects, and races between two replicas."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import create_async_engine

from auth_server.domain.authorizations import (
    AuthorizationRequest,
    AuthorizationStep,
    PendingAuthorization,
    UpstreamAccount,
    UpstreamLogin,
)
from auth_server.domain.clients import Client, ClientMetadata, ClientOrigin
from auth_server.domain.grants import AuthorizationCode, Grant, Subject
from auth_server.domain.handles import Handle, RefreshHandle, digest
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.storage.database import Database, Transaction
from auth_server.storage.encryption import Encryption

NOW = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
_numbers = count(1)


@pytest.fixture
def now() -> datetime:
    """The instant at which these tests happen."""
    return NOW


@pytest.fixture
def new_client() -> Callable[..., Client]:
    def build(**changes: Any) -> Client:
        client = Client(
            client_id=f"client-{next(_numbers)}",
            metadata=ClientMetadata(redirect_uris=("https://app.example/callback",)),
            origin=ClientOrigin.REGISTERED,
            issued_at=NOW,
        )
        return replace(client, **changes)

    return build


@pytest.fixture
def new_grant() -> Callable[..., Grant]:
    def build(**changes: Any) -> Grant:
        grant = Grant(
            id=f"grant-{next(_numbers)}",
            client_id="client",
            subject=Subject("user-1", "ada@example.com"),
            resource="https://mcp.example/mcp",
            scopes=frozenset({"todo_api:read", "todo_api:write"}),
            created_at=NOW,
            expires_at=NOW + timedelta(days=30),
            last_used_at=NOW,
        )
        return replace(grant, **changes)

    return build


@pytest.fixture
async def grant(database: Database, new_grant: Callable[..., Grant]) -> Grant:
    """A stored, active grant of the client "client"."""
    grant = new_grant()
    async with database.transaction() as tx:
        await tx.grants.insert(grant)
    return grant


@pytest.fixture
def new_code() -> Callable[..., AuthorizationCode]:
    def build(grant: Grant, **changes: Any) -> AuthorizationCode:
        code = AuthorizationCode(
            grant_id=grant.id,
            client_id=grant.client_id,
            redirect_uri="https://app.example/callback",
            code_challenge="c" * 43,
            scopes=grant.scopes,
            expires_at=NOW + timedelta(minutes=1),
        )
        return replace(code, **changes)

    return build


@pytest.fixture
def new_access() -> Callable[..., Handle]:
    def build(grant: Grant, **changes: Any) -> Handle:
        handle = Handle(
            grant_id=grant.id,
            scopes=grant.scopes,
            issued_at=NOW,
            expires_at=NOW + timedelta(hours=1),
        )
        return replace(handle, **changes)

    return build


@pytest.fixture
def new_refresh() -> Callable[..., RefreshHandle]:
    def build(grant: Grant, **changes: Any) -> RefreshHandle:
        handle = RefreshHandle(
            grant_id=grant.id,
            scopes=grant.scopes,
            issued_at=NOW,
            expires_at=NOW + timedelta(days=7),
            rotated_at=None,
        )
        return replace(handle, **changes)

    return build


@pytest.fixture
def new_tokens() -> Callable[..., UpstreamTokens]:
    def build(**changes: Any) -> UpstreamTokens:
        tokens = UpstreamTokens(
            access_token=f"upstream-access-{next(_numbers)}",
            refresh_token=f"upstream-refresh-{next(_numbers)}",
            scope="openid todo_api:read",
            expires_at=NOW + timedelta(hours=1),
        )
        return replace(tokens, **changes)

    return build


@pytest.fixture
def new_login() -> Callable[[], UpstreamLogin]:
    def build() -> UpstreamLogin:
        number = next(_numbers)
        return UpstreamLogin(digest(f"state-{number}"), f"verifier-{number}", f"nonce-{number}")

    return build


@pytest.fixture
def new_pending(new_login: Callable[[], UpstreamLogin]) -> Callable[..., PendingAuthorization]:
    """Builds an authorization that goes to PingOne."""

    def build(**changes: Any) -> PendingAuthorization:
        number = next(_numbers)
        pending = PendingAuthorization(
            id=f"authorization-{number}",
            form_id=f"form-{number}",
            step=AuthorizationStep.AT_PINGONE,
            started_digest=digest("the cookie of this sign-on"),
            browser_digest=digest("this browser"),
            request=AuthorizationRequest(
                client_id="client",
                redirect_uri="http://127.0.0.1:4711/callback",
                state="the client's own state",
                code_challenge="c" * 43,
                resource="https://mcp.example/mcp",
                scopes=frozenset({"todo_api:read"}),
                prompts=frozenset({"login", "consent"}),
            ),
            expires_at=NOW + timedelta(minutes=10),
            login=new_login(),
        )
        return replace(pending, **changes)

    return build


@pytest.fixture
def new_account(new_tokens: Callable[..., UpstreamTokens]) -> Callable[[], UpstreamAccount]:
    def build() -> UpstreamAccount:
        return UpstreamAccount(Subject("user-2", "bob@example.com"), new_tokens())

    return build


@pytest.fixture
def store_second_consent(
    new_pending: Callable[..., PendingAuthorization], new_account: Callable[[], UpstreamAccount]
) -> Callable[..., Awaitable[PendingAuthorization]]:
    """Brings an authorization to its second consent, as a browser does; it waits until then."""

    async def store(tx: Transaction, **changes: Any) -> PendingAuthorization:
        pending, account = new_pending(consent_is_remembered=True, **changes), new_account()
        await tx.authorizations.start(pending)
        assert pending.login is not None
        spent = await tx.authorizations.spend_state(
            pending.login.state_digest, [pending.started_digest], now=NOW
        )
        assert spent is not None
        until = NOW + timedelta(minutes=10)
        assert await tx.authorizations.await_account_consent(spent, account, expires_at=until)
        return replace(
            spent,
            step=AuthorizationStep.AWAITING_ACCOUNT_CONSENT,
            login=None,
            account=account,
            expires_at=until,
        )

    return store


@pytest.fixture
def tamper(database_url: str) -> Callable[[Executable], Awaitable[None]]:
    """Changes the database behind the repositories' back, as its administrator could."""

    async def execute(statement: Executable) -> None:
        engine = create_async_engine(database_url)
        try:
            async with engine.begin() as connection:
                await connection.execute(statement)
        finally:
            await engine.dispose()

    return execute


@pytest.fixture
async def opened(encryption: Encryption) -> AsyncIterator[Callable[..., Database]]:
    """Opens databases with other settings, and closes them."""
    databases: list[Database] = []

    def open_database(url: str, pool_size: int = 10) -> Database:
        databases.append(Database(url, encryption, pool_size=pool_size))
        return databases[-1]

    yield open_database
    for database in databases:
        await database.close()


@pytest.fixture
async def race(
    database: Database, database_url: str, encryption: Encryption
) -> AsyncIterator[Callable[..., Awaitable[list[Any]]]]:
    """Runs an attempt 20 times at once, each in its own transaction, on two replicas in turn."""
    other = Database(database_url, encryption)

    async def run(*attempts: Callable[[Transaction], Awaitable[Any]], times: int = 20) -> list[Any]:
        async def one(number: int) -> Any:
            replica = (database, other)[number % 2]
            async with replica.transaction() as tx:
                return await attempts[number % len(attempts)](tx)

        return await asyncio.gather(*(one(number) for number in range(times)))

    yield run
    await other.close()


@pytest.fixture
async def tokens(
    database: Database, grant: Grant, new_tokens: Callable[..., UpstreamTokens]
) -> UpstreamTokens:
    """The stored token set of the grant."""
    tokens = new_tokens()
    async with database.transaction() as tx:
        await tx.upstream_tokens.insert(grant.id, tokens)
    return tokens


@pytest.fixture
async def acquire(database: Database, grant: Grant, now: datetime) -> Callable[..., Any]:
    """Lease the grant's token set for 20 s."""

    async def attempt(
        owner: str,
        *,
        version: int = 1,
        at: datetime = now,
        repeat_since: datetime | None = None,
    ) -> bool:
        async with database.transaction() as tx:
            return await tx.upstream_tokens.acquire_lease(
                grant.id,
                version=version,
                owner=owner,
                now=at,
                lease_until=at + timedelta(seconds=20),
                repeat_since=repeat_since,
            )

    return attempt
