"""One authorization server for the many examples of a state machine, and a look into its database.

Grants are made as the callback makes them, without a sign-on: those have tests of their own.
"""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import httpx2
from auth_back_channel import is_for
from auth_harness import (
    CODE_CHALLENGE,
    REDIRECT_URI,
    RESOURCE,
    AuthUnderTest,
    PassOn,
    auth_under_test,
)
from grant_model import ACCESS, CODE, GRACE, GRANT, GRANTS_PER_CLIENT, REFRESH, Stored, text_of
from sqlalchemy.engine import make_url

from auth_server.domain.authorizations import (
    AuthorizationRequest,
    AuthorizationStep,
    PendingAuthorization,
    UpstreamAccount,
)
from auth_server.domain.grants import Subject
from auth_server.domain.handles import digest
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.flows.issue_code import IssueCode
from auth_server.flows.sweep_expired import SweepExpired

CLIENT_ID, OTHER_CLIENT_ID = "the-client", "another-client"
# Configured, so that they outlive every example.
_CLIENTS = [
    {
        "client_id": client_id,
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
    }
    for client_id in (CLIENT_ID, OTHER_CLIENT_ID)
]
_SCOPES = frozenset({"todo_api:read", "todo_api:write"})
_STORED = {
    "grants": "SELECT id, revoked_at, revocation_reason, last_used_at FROM grants",
    "codes": "SELECT code_digest, redeemed_at FROM codes",
    "access_handles": "SELECT access_digest, expires_at FROM access_handles",
    "refresh_handles": "SELECT refresh_digest, expires_at, rotated_at, "
    "answer_encrypted IS NOT NULL FROM refresh_handles",
}
_CODES = "SELECT code_digest, grant_id FROM codes"
_UNSPENT = """
    SELECT count(*) FROM refresh_handles JOIN grants ON grants.id = grant_id
    WHERE rotated_at IS NULL AND revoked_at IS NULL GROUP BY grant_id
"""


# Runs one statement on a connection of the test's own and returns the rows; moments are text.
Execute = Callable[[str], list[tuple[Any, ...]]]


@dataclass
class Service:
    """The server, its event loop, and a look into its database."""

    auth: AuthUnderTest
    runner: asyncio.Runner
    execute: Execute

    def at_once(
        self, callers: int, call: Callable[[], Awaitable[httpx.Response]]
    ) -> list[httpx.Response]:
        """Make the same call several times at once; return the answers, successes first."""

        async def gather() -> list[httpx.Response]:
            return await asyncio.gather(*(call() for _ in range(callers)))

        return sorted(self.runner.run(gather()), key=lambda response: response.status_code)

    def is_active(self, access: str) -> bool:
        """What introspection says."""
        return self.runner.run(self.auth.is_active(access))

    def issue_code(self, subject: str, upstream_until: datetime) -> tuple[str, str]:
        """A person has signed on and consented: the code, and the id of its grant."""
        code = self.runner.run(self._issue_code(subject, upstream_until))
        grants: dict[Any, str] = dict(self.execute(_CODES))
        return code, grants[digest(code)]

    async def _issue_code(self, subject: str, upstream_until: datetime) -> str:
        resources = self.auth.resources
        issue_code = IssueCode(
            resources.protected,
            resources.lifetimes,
            resources.revoke_grant,
            resources.now,
        )
        request = AuthorizationRequest(
            CLIENT_ID, REDIRECT_URI, None, CODE_CHALLENGE, RESOURCE, _SCOPES, frozenset()
        )
        pending = PendingAuthorization(
            id=str(uuid4()),
            form_id=str(uuid4()),
            step=AuthorizationStep.FINISHING,
            started_digest=digest("a sign-on"),
            browser_digest=digest("a browser"),
            request=request,
            expires_at=resources.now() + CODE,
        )
        # Without a refresh token of PingOne's its tokens are dead when they have expired.
        tokens = UpstreamTokens("a token", None, "", upstream_until)
        async with resources.database.transaction() as tx:
            issued = await issue_code(tx, pending, UpstreamAccount(Subject(subject, "a"), tokens))
        issue_code.committed(issued)
        return issued.code

    def sweep(self) -> None:
        """Sweep until nothing is left to be swept."""
        resources = self.auth.resources
        sweep = SweepExpired(
            resources.database, resources.revoke_grant, resources.lifetimes, resources.now
        )
        self.runner.run(sweep.until_clean())

    def stored(self) -> Stored:
        """What the database holds."""
        return {table: set(self.execute(query)) for table, query in _STORED.items()}

    def lineages(self) -> list[int]:
        """How many unspent refresh handles each grant has that was not ended."""
        return [count for (count,) in self.execute(_UNSPENT)]

    def empty(self) -> None:
        """Begin anew, but for the clock, which goes on."""
        for table in ("grants", "consents", "upstream_revocations", "audit_events"):
            self.execute(f"DELETE FROM {table}")  # noqa: S608  (names from here)


@contextmanager
def service_on(database_url: str) -> Iterator[Service]:
    """The server on a migrated database.

    PingOne answers no revocation before the end: the outbox, whose tests are elsewhere, stands by.
    """
    is_over = asyncio.Event()

    async def hold_revocations(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        if is_for(request, "/revoke"):
            await is_over.wait()
        return await pass_on(request)

    server = auth_under_test(
        database_url,
        auth_clients=json.dumps(_CLIENTS),
        auth_code_seconds=CODE.seconds,
        auth_access_handle_seconds=ACCESS.seconds,
        auth_refresh_handle_days=REFRESH.days,
        auth_refresh_grace_seconds=GRACE.seconds,
        auth_grant_days=GRANT.days,
        auth_grants_per_client=GRANTS_PER_CLIENT,
        pingone_timeout_seconds=20,
        # Time stands still in many steps, and a rate is no part of the model.
        auth_rate_limits=False,
    )
    with asyncio.Runner() as runner, _connected(database_url, runner) as execute:
        stack = AsyncExitStack()
        auth = runner.run(stack.enter_async_context(server))
        try:
            auth.pingone.intercept = hold_revocations
            auth.client_id = CLIENT_ID
            yield Service(auth, runner, execute)
        finally:
            is_over.set()
            runner.run(stack.aclose())


@contextmanager
def _connected(database_url: str, runner: asyncio.Runner) -> Iterator[Execute]:
    url = make_url(database_url)
    if url.drivername.startswith("sqlite"):
        with closing(sqlite3.connect(str(url.database), isolation_level=None)) as file:
            file.execute("PRAGMA foreign_keys=ON")
            yield lambda query: list(file.execute(query))
        return
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection: Any = runner.run(asyncpg.connect(dsn))

    def execute(query: str) -> list[tuple[Any, ...]]:
        return [tuple(map(_as_text, row)) for row in runner.run(connection.fetch(query))]

    try:
        yield execute
    finally:
        runner.run(connection.close())


def _as_text(value: Any) -> Any:
    return text_of(value) if isinstance(value, datetime) else value
