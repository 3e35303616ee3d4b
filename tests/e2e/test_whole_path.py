"""From a URL to the user's todos: discovery, registration, consent, sign-on, handle, tools."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from local_stack.browser import ALICE, BOB

TOOLS = {"who_am_i", "list_todos", "create_todo", "set_todo_status", "delete_todo"}
ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
CONCURRENT = 20


@pytest.mark.standard("MCP 2025-11-25 lifecycle: whole path")
@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_that_knows_only_the_url_reaches_all_five_tools(
    world: Any, call: Any, mode: str
) -> None:
    agent = await world.agent(ALICE)
    async with agent.connect(mode) as client:
        assert client.protocol_version == ERAS[mode]
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
        me = await call(client, "who_am_i")
        assert me["name"] == "Alice Archer"
        assert me["downstream_token"]["iss"] == world.stack.config.pingone_issuer
        assert me["downstream_token"]["aud"] == ["https://todo.api.com"]
        created = await call(client, "create_todo", text=f"Buy milk {uuid4()}")
        assert created["completed"] is False
        assert created in await _all_todos(call, client)
        done = await call(client, "set_todo_status", todo_id=created["id"], completed=True)
        assert (done["completed"], done["text"]) == (True, created["text"])
        assert await call(client, "delete_todo", todo_id=created["id"]) == {
            "deleted": True,
            "deleted_id": created["id"],
        }
        assert created["id"] not in {todo["id"] for todo in await _all_todos(call, client)}


@pytest.mark.standard("MCP 2026-07-28 authorization: step-up")
async def test_the_client_asks_first_for_reading_and_for_writing_only_when_a_tool_needs_it(
    world: Any, call: Any
) -> None:
    agent = await world.agent(ALICE)
    async with agent.connect() as client:
        granted = (await call(client, "who_am_i"))["scopes"]
        assert "todo_api:write" not in granted
        await call(client, "create_todo", text="Needs more than reading")
        assert "todo_api:write" in (await call(client, "who_am_i"))["scopes"]
    first, second = agent.visits
    assert (first.kinds, second.kinds) == (["consent", "sign_on"], ["consent"])
    assert "todo_api:write" not in first.pages[0][1].text
    assert "todo_api:write" in second.pages[0][1].text


@pytest.mark.standard("RFC 9700 4.9.1", "MCP 2026-07-28 authorization: no passthrough")
async def test_a_handle_is_all_the_client_ever_holds(world: Any, call: Any) -> None:
    agent = await world.agent(ALICE)
    async with agent.connect() as client:
        await call(client, "create_todo", text="Nothing of PingOne's comes back")
    assert agent.access_handle.startswith("mcpat_")
    for exchange in agent.exchanges:
        assert b"eyJ" not in exchange.body
        assert "eyJ" not in repr(exchange.headers)
    for visit in agent.visits:
        assert "eyJ" not in visit.arrived_at


async def test_twenty_todos_created_at_the_same_time_are_all_stored(world: Any, call: Any) -> None:
    agent = await world.agent(BOB)
    async with agent.connect() as client:
        await call(client, "create_todo", text="So that the handle may write")
    wanted = {f"{uuid4()}" for _ in range(CONCURRENT)}
    async with AsyncExitStack() as stack:
        # The SDK's OAuth provider sends one request at a time: each call gets its own client.
        clients = [
            await _client_with_handle(stack, agent.mcp_url, agent.access_handle) for _ in wanted
        ]
        async with asyncio.TaskGroup() as group:
            for client, text in zip(clients, wanted, strict=True):
                group.create_task(call(client, "create_todo", text=text))
        stored = await _all_todos(call, clients[0])
    assert wanted <= {todo["text"] for todo in stored}
    assert len(stored) == len({todo["id"] for todo in stored})


async def _client_with_handle(stack: AsyncExitStack, url: str, handle: str) -> Client:
    http = await stack.enter_async_context(
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {handle}"}, trust_env=False)
    )
    return await stack.enter_async_context(Client(streamable_http_client(url, http_client=http)))


async def _all_todos(call: Any, client: Client) -> list[dict[str, Any]]:
    todos: list[dict[str, Any]] = []
    page = await call(client, "list_todos", limit=100)
    todos += page["todos"]
    while page["next_cursor"] is not None:
        page = await call(client, "list_todos", limit=100, cursor=page["next_cursor"])
        todos += page["todos"]
    return todos
