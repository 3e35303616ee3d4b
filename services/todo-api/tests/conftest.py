"""A whole todo-api in this process: both databases, an issuer, a clock, and people with tokens."""

import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, RSAKey
from prometheus_client import CollectorRegistry

from service_kit.http_client import FetchFailed
from todo_api.app import create_public_app, create_verifier
from todo_api.endpoints.bearer import ScopeNames
from todo_api.settings import TodoApiSettings
from todo_api.todo_store.database import Database
from todo_api.todo_store.migrate import migrate
from todo_api.todo_store.store import TodoStore

ISSUER = "https://auth.pingone.eu/5f0f6d6c-0000-4000-8000-000000000000/as"
AUDIENCE = "https://todo.api.com"
CEILING = 25

Key = RSAKey | ECKey
OpenClient = Callable[[str | None], httpx.AsyncClient]


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.time = datetime(2026, 9, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class _SignsAnything(jws.JWSRegistry):
    """A forger needs no permission for what goes into a header."""

    def check_header(self, header: dict[str, Any]) -> None:
        """Accept every header."""


class Issuer:
    """PingOne as this API sees it: metadata, a key set, and tokens."""

    def __init__(self, clock: Clock, rsa_key: RSAKey, ec_key: ECKey) -> None:
        self.clock = clock
        self.rsa_key = rsa_key
        self.ec_key = ec_key
        self.published: list[Key] = [rsa_key, ec_key]
        self.metadata: dict[str, Any] = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}
        self.down = False
        self.fetched: list[str] = []

    async def fetch(self, url: str) -> dict[str, Any]:
        self.fetched.append(url)
        if self.down:
            raise FetchFailed(f"{url} could not be reached")
        if url == f"{ISSUER}/.well-known/openid-configuration":
            return self.metadata
        keys = KeySet(list(self.published)).as_dict(private=False)
        return json.loads(json.dumps(keys))  # type: ignore[no-any-return]

    def issued(self) -> int:
        """The `iat` of tokens made now."""
        return int(self.clock.time.timestamp())

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What PingOne puts into a token; a change to `...` leaves the claim out."""
        claims = {
            "iss": ISSUER,
            "sub": "alice",
            "aud": [AUDIENCE],
            "client_id": "mcp-server",
            "scope": "openid todo_api:read todo_api:write",
            "iat": self.issued(),
            "exp": self.issued() + 3600,
        } | changes
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, *, key: Key | None = None, header: Any = None, **changes: Any) -> str:
        return self.sign(json.dumps(self.claims(**changes)), key=key, header=header)

    def sign(self, payload: str, *, key: Key | None = None, header: Any = None) -> str:
        """Sign; a header parameter given as `...` is left out."""
        key = key or self.rsa_key
        algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
        full = {"alg": algorithm, "kid": key.kid, "typ": "JWT"} | (header or {})
        return jws.serialize_compact(
            {name: value for name, value in full.items() if value is not ...},
            payload,
            key,
            registry=_SignsAnything(algorithms=["RS256", "RS512", "ES256"]),
        )


@pytest.fixture(scope="session")
def rsa_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})


@pytest.fixture(scope="session")
def ec_key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(clock: Clock, rsa_key: RSAKey, ec_key: ECKey) -> Issuer:
    return Issuer(clock, rsa_key, ec_key)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite+aiosqlite:///{file}")
    return file


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of this test's own."""
    return f"sqlite+aiosqlite:///{shutil.copy(sqlite_template, tmp_path / 'todo.db')}"


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: Any) -> Iterator[str]:
    """The name of a migrated PostgreSQL database to copy."""
    name = f"template_{uuid4().hex}"
    postgresql_server.execute(f'CREATE DATABASE "{name}"')
    migrate(postgresql_server.url_of(name))
    yield name
    postgresql_server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of this test's own, once on each kind."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    template = request.getfixturevalue("postgresql_template")
    return str(request.getfixturevalue("new_postgresql_database")(template))


@pytest.fixture
def settings() -> TodoApiSettings:
    return TodoApiSettings(
        todo_public_url="http://localhost:8082", api_issuer=ISSUER, api_audience=AUDIENCE
    )


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def scopes() -> ScopeNames:
    return ScopeNames()


@pytest.fixture
async def api(
    database_url: str,
    settings: TodoApiSettings,
    issuer: Issuer,
    clock: Clock,
    registry: CollectorRegistry,
    scopes: ScopeNames,
) -> AsyncIterator[FastAPI]:
    """The public application on one database."""
    numbers = count(0x0199_0000_0000_7000_8000_0000_0000_0000)
    database = Database.open(database_url)
    store = TodoStore(
        database, new_id=lambda: UUID(int=next(numbers)), now=clock.now, max_per_owner=CEILING
    )
    verifier = create_verifier(settings, issuer.fetch, now=clock.now, monotonic=clock.monotonic)
    yield create_public_app(store, verifier, registry, scopes)
    await database.close()


@pytest.fixture
async def open_client(api: FastAPI) -> AsyncIterator[OpenClient]:
    """Make clients that send a token, or none."""
    async with AsyncExitStack() as clients:

        def open_one(token: str | None) -> httpx.AsyncClient:
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(api), base_url="http://todo", headers=headers
            )
            clients.push_async_callback(client.aclose)
            return client

        yield open_one


@pytest.fixture
def alice(open_client: OpenClient, issuer: Issuer) -> httpx.AsyncClient:
    return open_client(issuer.token(sub="alice"))


@pytest.fixture
def bob(open_client: OpenClient, issuer: Issuer) -> httpx.AsyncClient:
    return open_client(issuer.token(sub="bob"))


@pytest.fixture
def anyone(open_client: OpenClient) -> httpx.AsyncClient:
    """A client without a token."""
    return open_client(None)
