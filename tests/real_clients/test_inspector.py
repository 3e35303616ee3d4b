"""MCP Inspector's command line: a new process for every call, and what it stores in between."""

import json
from typing import Any
from uuid import uuid4

import pytest
from real_clients.program import Outcome, run_program

READ, BOTH = "todo_api:read", "todo_api:read todo_api:write"
LAUNCHER = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
REDIRECT_URI = "http://127.0.0.1:6276/oauth/callback"


async def inspect(machine: Any, home: str, *arguments: str, stdin: str = "") -> Outcome:
    """One call of the Inspector by somebody whose home is that folder."""
    folder = machine.home / home
    folder.mkdir(exist_ok=True)
    environment = machine.environment | {
        "HOME": str(folder),
        # A person is there, with a browser, although this is no terminal.
        "MCP_AUTO_OPEN_ENABLED": "true",
        "MCP_INSPECTOR_SECRET_STORE": "file",
    }
    command = machine.node(LAUNCHER, "--cli", *arguments, "--format", "json")
    return await run_program(command, environment, stdin=stdin)


def tool_call(tool: str, **arguments: str) -> list[str]:
    given = [f"{name}={value}" for name, value in arguments.items()]
    words = ["--method", "tools/call", "--tool-name", tool]
    return [*words, "--tool-arg", *given] if given else words


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_it_signs_in_lists_the_tools_reads_and_writes(machine: Any, era: str) -> None:
    before = len(machine.visits)
    words = [machine.mcp_url, "--protocol-era", era]
    listed = (await inspect(machine, era, *words, "--method", "tools/list")).json
    assert len(listed["result"]["tools"]) == 5
    read = (await inspect(machine, era, *words, *tool_call("list_todos"))).json
    assert "todos" in read["result"]["structuredContent"]
    text = f"Inspected {uuid4()}"
    written = (await inspect(machine, era, *words, *tool_call("create_todo", text=text))).json
    assert written["result"]["structuredContent"]["text"] == text
    # Left to itself it asks for all that the authorization server has, and once.
    (visit,) = machine.visits[before:]
    assert (visit["scope"], visit["redirect_uri"]) == (BOTH, REDIRECT_URI)


async def test_told_to_read_only_it_steps_up_when_its_user_agrees(machine: Any) -> None:
    server = {"type": "streamable-http", "url": machine.mcp_url, "oauth": {"scopes": READ}}
    file = machine.home / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"todo": server}}))
    before = len(machine.visits)
    words = ["--config", str(file), "--server", "todo"]
    assert (await inspect(machine, "careful", *words, *tool_call("list_todos"))).status == 0
    creation = tool_call("create_todo", text="After a step-up")
    declined = await inspect(machine, "careful", *words, *creation, stdin="n\n")
    assert declined.status != 0
    agreed = await inspect(machine, "careful", *words, *creation, stdin="y\n")
    assert agreed.json["result"]["structuredContent"]["text"] == "After a step-up"
    assert "needs additional scope: todo_api:write" in agreed.stderr
    assert [visit["scope"] for visit in machine.visits[before:]] == [READ, BOTH]


async def test_it_refreshes_what_it_stored_and_asks_nobody(machine: Any) -> None:
    words = [machine.mcp_url, *tool_call("list_todos")]
    assert (await inspect(machine, "again", *words)).status == 0
    await machine.wait_until_handles_have_expired()
    machine.mark()
    assert (await inspect(machine, "again", *words)).status == 0
    assert await machine.has_only_refreshed()


async def test_a_document_is_who_it_is(machine: Any) -> None:
    url = "https://client.example.com/oauth/client.json"
    words = [machine.mcp_url, "--client-metadata-url", url, *tool_call("list_todos")]
    machine.mark()
    assert (await inspect(machine, "document", *words)).status == 0
    assert machine.visits[-1]["client_id"] == url
    assert "/register" not in {path for _, path, _ in machine.requests}
