"""Claude: many machines behind one connector, registrations without end, ports that change."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from e2e.clients.known_clients import (
    CLAUDE,
    CLAUDE_CODE,
    CLAUDE_CODE_REGISTERED,
    CLAUDE_REGISTERED,
)
from e2e.clients.profile import ClientProfile
from e2e.clients.scripted_client import ScriptedClient, accepted_tokens, refusal_of

from local_stack.browser import BOB, UnexpectedPage

EGRESS = ("160.79.104.10", "160.79.106.35")


@pytest.mark.parametrize("profile", [CLAUDE, CLAUDE_REGISTERED], ids=str)
async def test_two_machines_of_claudes_that_refresh_at_once_get_the_same_handles(
    install: Any, profile: ClientProfile
) -> None:
    claude: ScriptedClient = await install(profile)
    await claude.connect()
    for _ in range(5):
        answers = await asyncio.gather(
            *(claude.refresh_request(egress=address) for address in EGRESS)
        )
        one, other = map(accepted_tokens, answers)
        assert one["access_token"] == other["access_token"]
        assert one["refresh_token"] == other["refresh_token"]
        claude.tokens = one


async def test_people_behind_the_same_addresses_share_nothing_but_the_client_id(
    install: Any,
) -> None:
    alices: ScriptedClient = await install(CLAUDE)
    bobs: ScriptedClient = await install(CLAUDE, person=BOB)
    await alices.connect()
    await bobs.connect()
    assert alices.client_id == bobs.client_id
    await alices.revoke()
    accepted_tokens(await bobs.refresh_request(egress=EGRESS[0]))
    assert refusal_of(await alices.refresh_request(egress=EGRESS[0])) == (400, "invalid_grant")


async def test_every_new_connection_registers_and_the_earlier_ones_stay_signed_in(
    install: Any,
) -> None:
    connections: list[ScriptedClient] = [await install(CLAUDE_REGISTERED) for _ in range(3)]
    for connection in connections:
        await connection.connect()
    assert len({connection.client_id for connection in connections}) == 3
    for connection in connections:
        await connection.refresh()


async def test_a_deleted_registration_is_invalid_client_and_registering_again_works(
    install: Any, operate: Any
) -> None:
    claude: ScriptedClient = await install(CLAUDE_REGISTERED)
    await claude.connect()
    deleted = claude.client_id
    await operate("clients", "delete", deleted, "--yes")
    assert refusal_of(await claude.refresh_request()) == (401, "invalid_client")
    await claude.connect()
    assert claude.client_id != deleted
    await claude.refresh()


async def test_the_endpoints_are_where_a_client_looks_that_does_not_read_the_metadata(
    install: Any,
) -> None:
    claude: ScriptedClient = await install(CLAUDE)
    await claude.discover()
    issuer = claude.metadata["issuer"]
    assert claude.metadata["authorization_endpoint"] == f"{issuer}/authorize"
    assert claude.metadata["token_endpoint"] == f"{issuer}/token"
    assert claude.metadata["registration_endpoint"] == f"{issuer}/register"


@pytest.mark.parametrize("profile", [CLAUDE_CODE, CLAUDE_CODE_REGISTERED], ids=str)
@pytest.mark.parametrize("port", [1024, 49152, 65535])
async def test_a_loopback_redirect_uri_may_have_any_port(
    install: Any, profile: ClientProfile, port: int
) -> None:
    redirect_uri = f"http://localhost:{port}/callback"
    await (await install(replace(profile, redirect_uri=redirect_uri))).connect()


@pytest.mark.parametrize(
    ("profile", "redirect_uri"),
    [
        (CLAUDE_CODE, "http://localhost:58135/elsewhere"),
        (CLAUDE_CODE, "http://localhost.example.com:58135/callback"),
        (CLAUDE_CODE, "https://localhost:58135/callback"),
        # Registered by one name of this computer, it is not known by the other.
        (CLAUDE_CODE_REGISTERED, "http://127.0.0.1:3118/callback"),
        (CLAUDE, "https://claude.ai:8443/api/mcp/auth_callback"),
        (CLAUDE, "https://claude.ai/api/mcp/auth_callback/"),
    ],
    ids=lambda value: str(value),
)
async def test_nothing_but_the_port_of_a_loopback_redirect_uri_may_differ(
    install: Any, profile: ClientProfile, redirect_uri: str
) -> None:
    client: ScriptedClient = await install(replace(profile, redirect_uri=redirect_uri))
    with pytest.raises(UnexpectedPage, match="/authorize shows"):
        await client.connect()


async def test_processes_that_share_a_refresh_handle_do_not_sign_each_other_out(
    install: Any,
) -> None:
    first: ScriptedClient = await install(CLAUDE_CODE)
    oldest = (await first.connect())["refresh_token"]
    await first.refresh()
    newest = (await first.refresh())["refresh_token"]
    # Another process wakes up with what it read from the disk when it started.
    assert refusal_of(await first.refresh_request(oldest)) == (400, "invalid_grant")
    accepted_tokens(await first.refresh_request(newest))
