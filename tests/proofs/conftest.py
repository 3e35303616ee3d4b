"""One cluster for all proofs, and what they need to drive it and to note what they measured.

PROOFS=long (what `make prove` sets) runs them with their full numbers and writes docs/proofs.md.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from cluster import Cluster, Replica, running_cluster
from login_steps import LoginSteps
from pingone_control import PingOneControl
from proof_report import PROPERTY, ProofReport

from local_stack.services import INTROSPECTION_CLIENT_ID

DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.02
MODERN = "2026-07-28"
IS_LONG = os.environ.get("PROOFS") == "long"
ROWS = 27
DOCUMENT = Path(__file__).parents[2] / "docs" / "proofs.md"

CEILING = 100_000 if IS_LONG else 200

# At PingOne a token lives for an hour, and no rotated refresh token may come back. A flood has as
# many addresses as it says.
ENVIRONMENT = {
    "AUTH_CLIENT_CEILING": str(CEILING),
    "AUTH_TRUSTED_PROXIES": "127.0.0.1,::1",
    "MCP_TRUSTED_PROXIES": "127.0.0.1,::1",
    "AUTH_REFRESH_GRACE_SECONDS": "60",
    "SIMULATOR_ACCESS_TOKEN_SECONDS": "3600",
    "SIMULATOR_REFRESH_GRACE_SECONDS": "0",
}
_REPORT = ProofReport()
_LEFT_OUT: list[pytest.Item] = []


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark of proofs that take too long for every test run."""
    config.addinivalue_line("markers", "long_proof: runs in `make prove` only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long proofs to `make prove`."""
    if IS_LONG:
        return
    left_out = [item for item in items if item.get_closest_marker("long_proof")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember that this run is a part of the whole."""
    _LEFT_OUT.extend(items)


def pytest_sessionfinish(exitstatus: int) -> None:
    """Write down what was measured, if all of it was and every proof held."""
    is_whole = not _LEFT_OUT and _REPORT.is_complete(ROWS)
    if IS_LONG and exitstatus == 0 and is_whole:
        DOCUMENT.write_text(_REPORT.as_markdown(), encoding="utf-8")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), ENVIRONMENT) as cluster:
        yield cluster


@pytest.fixture
def note(record_property: Callable[[str, object], None]) -> Callable[[int, str, str], None]:
    """Writes down one proof, for the document and for what is printed in the end."""

    def write_down(number: int, sentence: str, measured: str) -> None:
        _REPORT.note(number, sentence, measured)
        record_property(PROPERTY, (number, sentence, measured))

    return write_down


@pytest.fixture
def times() -> Callable[[Any, Any], Any]:
    """How often, or with what: in every test run, and in `make prove`."""
    return lambda short, long: long if IS_LONG else short


@pytest.fixture
def ceiling() -> int:
    """How many unused clients there may be."""
    return CEILING


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client without cookies, for many requests at once."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
    async with httpx.AsyncClient(
        timeout=DEADLINE_SECONDS, trust_env=False, limits=limits
    ) as client:
        yield client


@pytest_asyncio.fixture
async def pingone(cluster: Cluster, http: httpx.AsyncClient) -> AsyncIterator[PingOneControl]:
    """PingOne's stand-in, without any fault before and after the test."""
    control = PingOneControl(http, cluster.simulator)
    yield control
    await control.no_faults()
    await control.policy(access_token_seconds=3600, refresh_grace_seconds=0)


@dataclass
class SignedIn:
    """One person's grant through one client."""

    login: LoginSteps
    access: str
    refresh: str
    sid: str


@pytest_asyncio.fixture
async def new_login(cluster: Cluster) -> AsyncIterator[Callable[..., Awaitable[LoginSteps]]]:
    """Makes a registered client with a browser of its own, at one of the replicas' addresses."""
    async with AsyncExitStack() as stack:

        async def make(issuer: str | None = None, **options: str) -> LoginSteps:
            browser = httpx.AsyncClient(timeout=DEADLINE_SECONDS, trust_env=False)
            await stack.enter_async_context(browser)
            secret = cluster.secrets.introspection_client_secret
            login = LoginSteps(
                browser, issuer or cluster.issuer, cluster.internal, secret, **options
            )
            await login.register()
            return login

        yield make


@pytest.fixture
def sign_in(
    new_login: Callable[..., Awaitable[LoginSteps]], pingone: PingOneControl
) -> Callable[..., Awaitable[SignedIn]]:
    """Signs a person in through a new client and a new browser."""

    async def make(**options: str) -> SignedIn:
        login = await new_login(**options)
        handles = await login.sign_in()
        sid = await pingone.newest_sid()
        return SignedIn(login, handles["access_token"], handles["refresh_token"], sid)

    return make


@pytest.fixture
def signed_in_with(
    sign_in: Callable[..., Awaitable[SignedIn]], pingone: PingOneControl
) -> Callable[..., Awaitable[SignedIn]]:
    """Signs in with a PingOne token of this life; the next one lives for an hour again."""

    async def make(seconds: int, **options: str) -> SignedIn:
        await pingone.policy(access_token_seconds=seconds)
        person = await sign_in(**options)
        await pingone.policy(access_token_seconds=3600)
        return person

    return make


@pytest.fixture
def eventually() -> Callable[..., Awaitable[float]]:
    """Waits until something holds; returns the seconds it took; fails at the deadline."""

    async def wait(
        condition: Callable[[], Awaitable[bool]], seconds: float = DEADLINE_SECONDS
    ) -> float:
        started = time.monotonic()
        while not await condition():
            assert time.monotonic() - started < seconds, f"not within {seconds} s"
            await asyncio.sleep(POLL_SECONDS)
        return time.monotonic() - started

    return wait


@pytest.fixture
def call_tool(http: httpx.AsyncClient) -> Callable[..., Awaitable[httpx.Response]]:
    """Calls list_todos at one address of mcp."""

    async def call(url: str, handle: str) -> httpx.Response:
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": "list_todos", "arguments": {}, "_meta": meta}
        headers = {
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {handle}",
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "list_todos",
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return await http.post(f"{url}/mcp", json=message, headers=headers)

    return call


@pytest.fixture
def until_refused(
    call_tool: Callable[..., Awaitable[httpx.Response]],
) -> Callable[[str, str], Awaitable[float]]:
    """Calls a tool at one address of mcp, again and again, until it is refused: when that was."""

    async def wait(url: str, handle: str) -> float:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (answer := await call_tool(url, handle)).status_code == 200:
                pass
        assert answer.status_code == 401, answer.text
        return time.monotonic()

    return wait


@pytest.fixture
def introspect(
    cluster: Cluster, http: httpx.AsyncClient
) -> Callable[..., Awaitable[httpx.Response]]:
    """Asks one replica of auth about a handle, as mcp does."""
    credentials = (INTROSPECTION_CLIENT_ID, cluster.secrets.introspection_client_secret)

    async def ask(replica: Replica, handle: str) -> httpx.Response:
        url = f"{replica.internal}/introspect"
        return await http.post(url, data={"token": handle}, auth=credentials)

    return ask


@pytest.fixture
def lapse_lease(database: asyncpg.Connection) -> Callable[[SignedIn], Awaitable[None]]:
    """Lets a grant's refresh lease lapse: in the database, rather than by waiting for it."""

    async def lapse(person: SignedIn) -> None:
        await database.execute(
            "UPDATE upstream_tokens SET lease_until = now() - interval '1 second'"
            " WHERE grant_id IN (SELECT id FROM grants WHERE client_id = $1)",
            person.login.client_id,
        )

    return lapse


@pytest_asyncio.fixture
async def database(cluster: Cluster) -> AsyncIterator[asyncpg.Connection]:
    """A connection to auth's database."""
    connection: Any = await asyncpg.connect(cluster.asyncpg_dsn)
    try:
        yield connection
    finally:
        await connection.close()
