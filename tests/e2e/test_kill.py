"""kill -9 between any two steps of a login: the restarted process goes on, or says what to do."""

import asyncio
import hashlib
import os
import sqlite3
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest

from local_stack.pages import read_page
from local_stack.ports import Ports
from local_stack.processes import ServiceProcess, ignore_line
from local_stack.secrets import Secrets
from local_stack.services import INTROSPECTION_CLIENT_ID, Service, StackConfig, services_of

DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.05
REDIRECT_URI = "http://127.0.0.1:33418/callback"
VERIFIER = "the-verifier-of-a-client-that-lives-on-43-x"
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
# A grant without PingOne tokens, or that nothing leads to; a login at PingOne without its proofs.
HALF_STORED = {
    "grants without tokens": (
        "SELECT count(*) FROM grants WHERE revoked_at IS NULL"
        " AND id NOT IN (SELECT grant_id FROM upstream_tokens)"
    ),
    "grants without a code": (
        "SELECT count(*) FROM grants WHERE id NOT IN (SELECT grant_id FROM codes)"
    ),
    "redeemed codes without handles": (
        "SELECT count(*) FROM codes WHERE redeemed_at IS NOT NULL"
        " AND grant_id NOT IN (SELECT grant_id FROM access_handles)"
    ),
    "access without refresh": (
        "SELECT count(*) FROM access_handles"
        " WHERE grant_id NOT IN (SELECT grant_id FROM refresh_handles)"
    ),
    "logins without proofs": (
        "SELECT count(*) FROM authorizations WHERE step = 'at_pingone' AND (state_digest IS NULL"
        " OR code_verifier_encrypted IS NULL OR nonce_encrypted IS NULL)"
    ),
}


@dataclass
class Processes:
    """PingOne's stand-in, which lives on, and auth, which does not."""

    config: StackConfig
    secrets: Secrets = field(repr=False)
    running: dict[str, ServiceProcess] = field(default_factory=dict)

    def start(self, name: str, *arguments: str, **variables: str) -> ServiceProcess:
        """Start a service, with variables of its own, and do not wait for it."""
        services = services_of(self.config, self.secrets, os.environ)
        [found] = [service for service in services if service.name == name]
        environment = {**found.environment, **variables}
        service = Service(name, found.module, found.arguments, found.ready_url, environment)
        log = self.config.logs / f"{name}.log"
        process = ServiceProcess(service, arguments or found.arguments, log, ignore_line)
        self.running[name] = process
        return process

    def kill_auth(self) -> None:
        """SIGKILL: nothing is drained, flushed or closed. What it left behind is whole."""
        self.running["auth"].kill()
        assert self.running["auth"].wait(DEADLINE_SECONDS)
        assert self.running["auth"].exit_status == -9
        assert self.counts(HALF_STORED) == dict.fromkeys(HALF_STORED, 0)

    def restart_auth(self, **variables: str) -> None:
        """kill -9, and a new process on the same database."""
        self.kill_auth()
        wait_until_ready(self.start("auth", **variables))

    def counts(self, queries: dict[str, str]) -> dict[str, int]:
        """Read what is committed in the database's files."""
        with closing(sqlite3.connect(self.config.state / "auth.db")) as connection:
            return {name: connection.execute(sql).fetchone()[0] for name, sql in queries.items()}

    def count(self, table: str) -> int:
        """How many rows a table holds."""
        return self.counts({table: f"SELECT count(*) FROM {table}"})[table]  # noqa: S608  (ours)


def wait_until_ready(process: ServiceProcess) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not process.is_ready():
        assert process.exit_status is None, process.last_lines
        assert time.monotonic() < deadline, process.last_lines
        time.sleep(POLL_SECONDS)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    config = StackConfig(tmp_path_factory.mktemp("kill") / "state", Ports.free())
    config.logs.mkdir(parents=True)
    processes = Processes(config, Secrets.load_or_create(config.state))
    try:
        simulator = processes.start("simulator")
        migration = processes.start("auth", "migrate")
        assert migration.wait(DEADLINE_SECONDS)
        assert migration.exit_status == 0, migration.last_lines
        wait_until_ready(processes.start("auth"))
        wait_until_ready(simulator)
        yield processes
    finally:
        for process in processes.running.values():
            process.kill()
            process.wait(DEADLINE_SECONDS)


@pytest.fixture
async def login(processes: Processes) -> AsyncIterator["Login"]:
    async with httpx.AsyncClient(timeout=DEADLINE_SECONDS, trust_env=False) as http:
        login = Login(processes, http)
        document = {
            "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        }
        answer = await http.post(f"{processes.config.issuer}/register", json=document)
        login.client_id = answer.json()["client_id"]
        yield login


@dataclass
class Login:
    """A client and a browser that survive what happens to auth. A method is a step."""

    processes: Processes
    http: httpx.AsyncClient
    client_id: str = ""

    async def authorize(self) -> httpx.Response:
        """The consent page."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "of-the-client",
            "prompt": "consent",
        }
        return await self.http.get(f"{self.processes.config.issuer}/authorize", params=query)

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
                response, username="alice", password="alice", action="sign_on"
            )
        return response.headers["location"]

    async def come_back(self) -> str:
        """All steps up to that URL."""
        return await self.sign_on(await self.submit(await self.authorize(), decision="allow"))

    async def token(self, **form: str) -> httpx.Response:
        """Post to /token."""
        form["client_id"] = self.client_id
        return await self.http.post(f"{self.processes.config.issuer}/token", data=form)

    async def exchange(self, code: str) -> httpx.Response:
        """Redeem a code."""
        form = {"grant_type": "authorization_code", "code": code}
        return await self.token(**form, redirect_uri=REDIRECT_URI, code_verifier=VERIFIER)

    async def is_active(self, handle: str) -> bool:
        """Ask as the MCP server does."""
        internal = f"http://127.0.0.1:{self.processes.config.ports.auth_internal}/introspect"
        secret = self.processes.secrets.introspection_client_secret
        answer = await self.http.post(
            internal, data={"token": handle}, auth=(INTROSPECTION_CLIENT_ID, secret)
        )
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["active"])


def answer_of(redirect: httpx.Response) -> dict[str, str]:
    """What the client is told."""
    assert redirect.has_redirect_location, redirect.text[:500]
    assert redirect.headers["location"].startswith(REDIRECT_URI)
    return dict(parse_qsl(urlsplit(redirect.headers["location"]).query))


def heading_of(page: httpx.Response) -> str:
    """What a person is told by a page that ends a login."""
    assert page.status_code == 400, page.status_code
    assert "What to do" in page.text
    return read_page(str(page.url), page.text).heading


async def test_a_login_goes_on_after_a_kill_between_any_two_of_its_steps(login: Login) -> None:
    restart = login.processes.restart_auth
    consent_page = await login.authorize()
    restart()
    to_pingone = await login.submit(consent_page, decision="allow")
    restart()
    callback = await login.sign_on(to_pingone)
    restart()
    answer = answer_of(await login.http.get(callback))
    assert answer["state"] == "of-the-client"
    restart()
    handles = (await login.exchange(answer["code"])).json()
    restart()
    assert await login.is_active(handles["access_token"])
    form = {"grant_type": "refresh_token", "refresh_token": handles["refresh_token"]}
    renewed = (await login.token(**form)).json()
    restart()
    # Acknowledged is durable, and what was spent before the kills is spent after them.
    assert await login.is_active(renewed["access_token"])
    assert heading_of(await login.submit(consent_page, decision="allow"))
    assert heading_of(await login.http.get(callback)) == "This sign-on has ended"
    assert (await login.exchange(answer["code"])).json()["error"] == "invalid_grant"
    assert not await login.is_active(renewed["access_token"])


async def test_a_kill_while_pingone_is_asked_stores_nothing_and_the_login_can_be_repeated(
    login: Login,
) -> None:
    grants_before = login.processes.count("grants")
    asked = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()  # the rest, until the killed process is gone
        writer.close()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        endpoint = f"http://127.0.0.1:{port}/token"
        login.processes.restart_auth(PINGONE_TOKEN_ENDPOINT=endpoint)
        callback = await login.come_back()
        lost = asyncio.create_task(login.http.get(callback))
        await asyncio.wait_for(asked.wait(), DEADLINE_SECONDS)
        login.processes.kill_auth()
        with pytest.raises(httpx.TransportError):
            await lost
    # The state was spent before PingOne was asked: the lost login is over, and left no row.
    assert login.processes.count("authorizations") == 0
    assert login.processes.count("grants") == grants_before
    wait_until_ready(login.processes.start("auth"))
    assert heading_of(await login.http.get(callback)) == "This sign-on has ended"
    again = answer_of(await login.http.get(await login.come_back()))
    handles = (await login.exchange(again["code"])).json()
    assert await login.is_active(handles["access_token"])
