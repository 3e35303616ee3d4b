"""AUTH_REGISTRATION=open|token|off, and `auth tokens` (RFC 7591 3)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from auth_answers import count_rows
from auth_back_channel import refusal, replica_of
from auth_commands import Commands
from auth_harness import REDIRECT_URI, AuthUnderTest
from sqlalchemy import select

from auth_server.domain.handles import ACCESS_PREFIX, INITIAL_PREFIX, is_well_formed, new_handle
from auth_server.flows.sweep_expired import SweepExpired
from auth_server.storage.tables import audit_events, clients, initial_access_tokens

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
METADATA = "/.well-known/oauth-authorization-server"
DOCUMENT = {"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}


@pytest.fixture
def run(auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(auth, monkeypatch)


@pytest.fixture
async def guarded(auth: AuthUnderTest) -> AsyncIterator[AuthUnderTest]:
    """A replica where registration needs a token."""
    async with replica_of(auth, auth_registration="token") as guarded:
        yield guarded


async def register(
    auth: AuthUnderTest, token: str | None = None, *, scheme: str = "Bearer", **changes: Any
) -> httpx.Response:
    headers = {} if token is None else {"authorization": f"{scheme} {token}"}
    return await auth.anyone.post("/register", json=DOCUMENT | changes, headers=headers)


def challenge(response: httpx.Response) -> str:
    """The challenge of a registration that lacks a token that is good."""
    assert refusal(response, 401) == "invalid_token"
    return response.headers["www-authenticate"]


async def notes(auth: AuthUnderTest) -> list[tuple[str, str]]:
    """What the audit trail says of tokens."""
    statement = select(audit_events.c.event, audit_events.c.note).where(
        audit_events.c.note.is_not(None)
    )
    async with auth.resources.database.reading_connection() as connection:
        found = await connection.execute(statement.order_by(audit_events.c.id))
        return [(row.event, row.note) for row in found]


@pytest.mark.standard("RFC 7591 3 initial access token", "RFC 6750 3 registration")
async def test_a_token_lets_as_many_clients_register_as_it_has_uses(
    guarded: AuthUnderTest, run: Commands
) -> None:
    without = challenge(await register(guarded))
    assert without == 'Bearer realm="mcp-pingone"'
    [made] = await run.json("tokens", "create", "--uses", "2", "--note", "team A")
    token = made["initial_access_token"]
    assert is_well_formed(token, INITIAL_PREFIX)
    # What is refused for another reason costs no use.
    wrong = await register(guarded, token, redirect_uris=["javascript:alert(1)"])
    assert refusal(wrong) == "invalid_redirect_uri"
    for scheme in ("Bearer", "bEARER"):
        response = await register(guarded, token, scheme=scheme)
        assert response.status_code == 201, response.text
    refused = challenge(await register(guarded, token))
    assert refused.startswith('Bearer realm="mcp-pingone", error="invalid_token", error_descr')
    assert token not in refused
    token_id = made["id"]
    assert await notes(guarded) == [
        ("initial_token_created", f"{token_id} team A"),
        *[("client_registered", f"with initial access token {token_id}")] * 2,
    ]


async def test_of_twenty_registrations_at_once_over_two_replicas_as_many_as_uses_succeed(
    guarded: AuthUnderTest, run: Commands
) -> None:
    before = await count_rows(guarded, clients)
    [made] = await run.json("tokens", "create", "--uses", "3")
    async with replica_of(guarded, auth_registration="token") as other:
        answers = await asyncio.gather(
            *(register(one, made["initial_access_token"]) for one in (guarded, other) * 10)
        )
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [401] * 17
    assert await count_rows(guarded, clients) == before + 3


@ON_SQLITE
async def test_what_is_no_live_token_is_refused(guarded: AuthUnderTest, run: Commands) -> None:
    [revoked] = await run.json("tokens", "create")
    await run.text("tokens", "revoke", revoked["id"], "--reason", "sent to the wrong person")
    [expired] = await run.json("tokens", "create", "--expires-in", "30m")
    guarded.clock.advance(minutes=30)
    for token in (
        revoked["initial_access_token"],
        expired["initial_access_token"],
        new_handle(INITIAL_PREFIX),
        new_handle(ACCESS_PREFIX),
        "token",
        "x" * 10_000,
    ):
        assert "invalid_token" in challenge(await register(guarded, token)), token[:60]
    for scheme, token in (("Basic", "YTpi"), ("Bearer", ""), ("mcpit_x", "")):
        assert "error" not in challenge(await register(guarded, token, scheme=scheme)), scheme
    again = ("authorization", "Bearer a")
    repeated = await guarded.anyone.post("/register", json=DOCUMENT, headers=[again, again])
    assert refusal(repeated) == "invalid_request"
    assert (await notes(guarded))[1] == (
        "initial_token_revoked",
        f"{revoked['id']} sent to the wrong person",
    )


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer mcpit_x"}])
@ON_SQLITE
async def test_without_a_token_nothing_of_the_body_is_read(
    guarded: AuthUnderTest, headers: dict[str, str]
) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"no JSON")
        yield b"no JSON"

    assert challenge(await guarded.anyone.post("/register", content=body(), headers=headers))
    assert read == []


@ON_SQLITE
async def test_an_unlimited_token_ends_by_its_expiry_only(
    guarded: AuthUnderTest, run: Commands
) -> None:
    [made] = await run.json("tokens", "create", "--unlimited", "--expires-in", "1h")
    for _ in range(3):
        assert (await register(guarded, made["initial_access_token"])).status_code == 201
    [listed] = await run.json("tokens", "list")
    assert (listed["state"], listed["remaining_uses"]) == ("active", None)
    guarded.clock.advance(hours=1)
    challenge(await register(guarded, made["initial_access_token"]))


@pytest.mark.standard("RFC 7591 3 open")
@ON_SQLITE
async def test_where_registration_is_open_a_token_is_neither_needed_nor_spent(
    auth: AuthUnderTest, run: Commands
) -> None:
    [made] = await run.json("tokens", "create")
    for token in (made["initial_access_token"], "anything"):
        assert (await register(auth, token)).status_code == 201
    [listed] = await run.json("tokens", "list")
    assert (listed["state"], listed["remaining_uses"]) == ("active", 1)


@pytest.mark.standard("RFC 8414 2 registration_endpoint")
@ON_SQLITE
async def test_where_registration_is_off_it_is_neither_there_nor_advertised(
    auth: AuthUnderTest,
) -> None:
    assert "registration_endpoint" in (await auth.anyone.get(METADATA)).json()
    async with replica_of(auth, auth_registration="off") as closed:
        assert "registration_endpoint" not in (await closed.anyone.get(METADATA)).json()
        assert (await register(closed)).status_code == 404
        # Who registered before goes on.
        assert (await closed.obtain_handles())["access_token"]


async def test_the_token_is_shown_once_and_stored_as_a_digest(
    auth: AuthUnderTest, run: Commands
) -> None:
    made = await run("tokens", "create", "--note", "for the \x1b[31mred team")
    assert made.exit_code == 2
    made = await run("tokens", "create", "--note", "for the red team")
    lines = dict(line.split("\t") for line in made.stdout.splitlines())
    token = lines["initial_access_token"]
    assert "nobody can show it again" in made.stderr
    shown = await run.text("tokens", "list") + await run.text("tokens", "list", "--format", "jsonl")
    assert lines["id"] in shown
    assert "for the red team" in shown
    assert token not in shown
    async with auth.resources.database.reading_connection() as connection:
        [row] = (await connection.execute(select(initial_access_tokens))).mappings()
    assert token not in str(dict(row))


async def test_tokens_that_are_of_no_use_any_more_are_swept(
    guarded: AuthUnderTest, run: Commands
) -> None:
    resources = guarded.resources
    sweep = SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )
    [once] = await run.json("tokens", "create")
    [short] = await run.json("tokens", "create", "--expires-in", "10m")
    [long] = await run.json("tokens", "create", "--expires-in", "1d")
    await register(guarded, once["initial_access_token"])
    guarded.clock.advance(minutes=10)
    states = {one["id"]: one["state"] for one in await run.json("tokens", "list")}
    assert states == {once["id"]: "used up", short["id"]: "expired", long["id"]: "active"}
    assert (await sweep())["initial_access_tokens"] == 2
    assert [one["id"] for one in await run.json("tokens", "list")] == [long["id"]]


@ON_SQLITE
async def test_the_command_refuses_what_makes_no_sense(auth: AuthUnderTest, run: Commands) -> None:
    wrongs = ("0d", "-1d", "1", "d", "1w", "1.5h", "99999d", "1d ", "", "\u0661d")
    for arguments in (*(("--expires-in", wrong) for wrong in wrongs), ("--uses", "0")):
        assert (await run("tokens", "create", *arguments)).exit_code == 2, arguments
    unknown = await run("tokens", "revoke", "unknown")
    assert (unknown.exit_code, unknown.stderr) == (1, "no such token here\n")
    assert await count_rows(auth, initial_access_tokens) == 0
