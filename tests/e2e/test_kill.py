"""kill -9 between any two steps of a login: the restarted process goes on, or says what to do."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import httpx
import pytest
from login_steps import LoginSteps, answer_of

from local_stack.pages import read_page
from local_stack.ports import Ports
from local_stack.processes import ServiceProcess, ignore_line
from local_stack.secrets import Secrets
from local_stack.services import Service, StackConfig, services_of

DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.05
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
async def login(processes: Processes) -> AsyncIterator[LoginSteps]:
    internal = f"http://127.0.0.1:{processes.config.ports.auth_internal}"
    secret = processes.secrets.introspection_client_secret
    async with httpx.AsyncClient(timeout=DEADLINE_SECONDS, trust_env=False) as http:
        login = LoginSteps(http, processes.config.issuer, internal, secret)
        await login.register()
        yield login


def heading_of(page: httpx.Response) -> str:
    """What a person is told by a page that says how a login has ended."""
    assert page.status_code == 200, page.status_code
    assert "What to do" in page.text
    return read_page(str(page.url), page.text).heading


async def test_a_login_goes_on_after_a_kill_between_any_two_of_its_steps(
    login: LoginSteps, processes: Processes
) -> None:
    restart = processes.restart_auth
    consent_page = await login.authorize()
    restart()
    to_pingone = await login.submit(consent_page, decision="allow")
    restart()
    callback = await login.sign_on(to_pingone)
    restart()
    answer = answer_of(await login.http.get(callback))
    assert answer["state"] == "the-state-of-the-client"
    restart()
    handles = (await login.exchange(answer["code"])).json()
    restart()
    assert await login.is_active(handles["access_token"])
    renewed = (await login.refresh(handles["refresh_token"])).json()
    restart()
    # Acknowledged is durable, and what was spent before the kills is spent after them.
    assert await login.is_active(renewed["access_token"])
    for repeated in (
        await login.submit(consent_page, decision="allow"),
        await login.http.get(callback),
    ):
        assert heading_of(repeated) == "The app is connected"
    assert (await login.exchange(answer["code"])).json()["error"] == "invalid_grant"
    assert not await login.is_active(renewed["access_token"])


async def test_a_kill_while_pingone_is_asked_stores_nothing_and_the_login_can_be_repeated(
    login: LoginSteps, processes: Processes
) -> None:
    grants_before, tokens_before = processes.count("grants"), processes.count("upstream_tokens")
    asked = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()  # the rest, until the killed process is gone
        writer.close()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        endpoint = f"http://127.0.0.1:{port}/token"
        processes.restart_auth(PINGONE_TOKEN_ENDPOINT=endpoint)
        callback = await login.come_back()
        lost = asyncio.create_task(login.http.get(callback))
        await asyncio.wait_for(asked.wait(), DEADLINE_SECONDS)
        processes.kill_auth()
        with pytest.raises(httpx.TransportError):
            await lost
    # The state was spent before PingOne was asked: the lost login comes to nothing.
    assert processes.count("grants") == grants_before
    assert processes.count("upstream_tokens") == tokens_before
    wait_until_ready(processes.start("auth"))
    waiting = await login.http.get(callback)
    # For as long as another process could still be asking, the page loads itself again.
    assert (waiting.status_code, waiting.headers["refresh"]) == (503, "2")
    again = answer_of(await login.http.get(await login.come_back()))
    handles = (await login.exchange(again["code"])).json()
    assert await login.is_active(handles["access_token"])
