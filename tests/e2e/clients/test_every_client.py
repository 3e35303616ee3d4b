"""Each client of the matrix, from the URL of the MCP server to a todo, in both protocol eras."""

from typing import Any
from uuid import uuid4

import pytest
from e2e.clients.known_clients import EVERY_CLIENT
from e2e.clients.profile import ClientProfile
from e2e.clients.scripted_client import ScriptedClient, parse_challenge

READ, WRITE = "todo_api:read", "todo_api:write"
TOOLS = {"who_am_i", "list_todos", "create_todo", "set_todo_status", "delete_todo"}
ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}

each_client = pytest.mark.parametrize("profile", EVERY_CLIENT, ids=str)


@each_client
async def test_a_client_that_knows_only_the_url_reads_and_after_a_step_up_writes(
    install: Any, profile: ClientProfile
) -> None:
    client: ScriptedClient = await install(profile)
    tokens = await client.connect()
    assert client.visits[0].kinds == ["consent", "sign_on"]
    asked_for = set((profile.scope or client.challenged_scope).split())
    assert set(tokens["scope"].split()) == asked_for
    for mode, version in ERAS.items():
        async with client.tools(mode) as mcp:
            assert mcp.protocol_version == version
            assert {tool.name for tool in (await mcp.list_tools()).tools} == TOOLS
            listed = await mcp.call_tool("list_todos", {})
            assert not listed.is_error
    if WRITE not in asked_for:
        await _step_up(client)
    async with client.tools("auto") as mcp:
        text = f"Written by {profile.name} {uuid4()}"
        created = await mcp.call_tool("create_todo", {"text": text})
        assert created.structured_content is not None
        assert created.structured_content["text"] == text


@each_client
async def test_a_client_stays_signed_in_by_refreshing_and_then_no_longer_once_it_is_revoked(
    install: Any, profile: ClientProfile
) -> None:
    client: ScriptedClient = await install(profile)
    first = await client.connect()
    second = await client.refresh()
    assert second["scope"] == first["scope"]
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    async with client.tools("legacy") as mcp:
        assert not (await mcp.call_tool("list_todos", {})).is_error
    assert len(client.visits) == 1
    await client.revoke()
    dead = await client.refresh_request()
    assert (dead.status_code, dead.json()["error"]) == (400, "invalid_grant")


async def _step_up(client: ScriptedClient) -> None:
    refused = await client.post_tool_call("create_todo", text="not yet")
    assert refused.status_code == 403
    challenge = parse_challenge(refused.headers["www-authenticate"])
    assert challenge["error"] == "insufficient_scope"
    assert WRITE in challenge["scope"].split()
    before = set(client.tokens["scope"].split())
    # Accumulating is the client's part (MCP 2026-07-28 authorization, step-up).
    wanted = before | set(challenge["scope"].split())
    assert wanted - {"offline_access"} == {READ, WRITE}
    tokens = await client.sign_in(" ".join(sorted(wanted)))
    assert set(tokens["scope"].split()) == wanted
    assert "consent" in client.visits[-1].kinds
