"""mcp-remote: a host that only knows stdio talks to it, and it does the rest."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any
from uuid import uuid4

from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

READ, BOTH = "todo_api:read", "todo_api:read todo_api:write"
DEADLINE_SECONDS = 30.0


@cache
def callback_port() -> str:
    """A free port below those of outgoing connections; always the same, which it registers.

    mcp-remote would derive one from the URL, which such a connection may have. It then listens at
    the next one, and has told the browser of the first.
    """
    for port in random.sample(range(20_000, 30_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return str(port)
    raise OSError("no port is free")


@asynccontextmanager
async def proxied(machine: Any, home: str, *flags: str) -> AsyncIterator[Client]:
    """A host of the 2025-11-25 era that started mcp-remote for somebody."""
    folder = machine.home / home
    folder.mkdir(exist_ok=True)
    program, *arguments = machine.node("node_modules/mcp-remote/dist/proxy.js")
    server = StdioServerParameters(
        command=str(program),
        args=[*map(str, arguments), machine.mcp_url, callback_port(), *flags],
        env=machine.environment | {"HOME": str(folder)},
    )
    with (folder / "mcp-remote.log").open("w") as log:
        async with (
            asyncio.timeout(DEADLINE_SECONDS),
            Client(stdio_client(server, errlog=log), mode="legacy") as client,
        ):
            yield client


async def read_and_write(client: Client) -> None:
    assert len((await client.list_tools()).tools) == 5
    assert not (await client.call_tool("list_todos", {})).is_error
    text = f"By way of mcp-remote {uuid4()}"
    created = await client.call_tool("create_todo", {"text": text})
    assert created.structured_content is not None
    assert created.structured_content["text"] == text


async def test_it_signs_in_before_the_host_speaks_and_steps_up_when_a_tool_needs_it(
    machine: Any,
) -> None:
    before = len(machine.visits)
    async with proxied(machine, "first") as client:
        await read_and_write(client)
    visits = machine.visits[before:]
    assert [visit["scope"] for visit in visits] == [READ, BOTH]
    assert {visit["resource"] for visit in visits} == {machine.mcp_url}
    assert all(visit["redirect_uri"].startswith("http://localhost:") for visit in visits)


async def test_it_brings_a_host_of_the_older_era_to_the_newer_one(machine: Any) -> None:
    async with proxied(machine, "newer", "--protocol", "auto") as client:
        await read_and_write(client)


async def test_it_refreshes_what_it_stored_and_asks_nobody(machine: Any) -> None:
    async with proxied(machine, "again") as client:
        await read_and_write(client)
    await machine.wait_until_handles_have_expired()
    machine.mark()
    async with proxied(machine, "again") as client:
        await read_and_write(client)
    assert await machine.has_only_refreshed()


async def test_it_connects_without_naming_the_resource(machine: Any) -> None:
    async with proxied(machine, "without", "--disable-resource-parameter") as client:
        assert not (await client.call_tool("list_todos", {})).is_error
    assert machine.visits[-1]["resource"] is None


async def test_a_document_is_who_it_is(machine: Any) -> None:
    url = "https://client.example.com/oauth/client.json"
    machine.mark()
    async with proxied(machine, "document", "--client-metadata-url", url) as client:
        assert not (await client.call_tool("list_todos", {})).is_error
    assert machine.visits[-1]["client_id"] == url
    assert "/register" not in {path for _, path, _ in machine.requests}
