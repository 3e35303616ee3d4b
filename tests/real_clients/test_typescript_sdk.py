"""Both lines of the TypeScript SDK, in a script that does what a host does around it."""

import json
from typing import Any
from uuid import uuid4

import pytest
from real_clients.program import run_program

TOOLS = ["who_am_i", "list_todos", "create_todo", "set_todo_status", "delete_todo"]
READ, BOTH = "todo_api:read", "todo_api:read todo_api:write"
STAYS_SIGNED_IN = ["authorization_code", "refresh_token"]
VERSIONS = {1: "2025-11-25", 2: "2026-07-28"}


async def run_sdk(machine: Any, line: int, name: str, **options: Any) -> dict[str, Any]:
    """Run the script of that line of the SDK; what it keeps is kept under name."""
    given = {
        "mcpUrl": machine.mcp_url,
        "file": str(machine.home / f"{name}.json"),
        "grantTypes": STAYS_SIGNED_IN,
        "text": f"From the TypeScript SDK {uuid4()}",
    } | options
    command = machine.node(f"typescript_sdk_{line}.mjs", json.dumps(given))
    report = (await run_program(command, machine.environment)).json
    assert report["version"] == VERSIONS[line]
    assert report["tools"] == TOOLS
    assert isinstance(report["listed"]["todos"], list)
    if "created" in report:
        assert report["created"]["text"] == given["text"]
    return report


async def test_version_2_signs_in_steps_up_and_writes(machine: Any) -> None:
    before = len(machine.visits)
    report = await run_sdk(machine, 2, "two")
    assert "created" in report, report
    visits = machine.visits[before:]
    assert [visit["scope"] for visit in visits] == [READ, BOTH]
    assert {visit["resource"] for visit in visits} == {machine.mcp_url}


async def test_version_2_refreshes_on_its_next_run_and_asks_nobody(machine: Any) -> None:
    await run_sdk(machine, 2, "two again")
    await machine.wait_until_handles_have_expired()
    machine.mark()
    assert "created" in await run_sdk(machine, 2, "two again")
    assert await machine.has_only_refreshed()


async def test_version_1_signs_in_and_reads(machine: Any) -> None:
    before = len(machine.visits)
    await run_sdk(machine, 1, "one")
    assert [visit["scope"] for visit in machine.visits[before:]] == [READ]


async def test_version_1_does_not_step_up_while_it_can_refresh(machine: Any) -> None:
    # Its answer to insufficient_scope is a refresh, which cannot widen anything (RFC 6749 6); then
    # it gives up. If a release of it does better, this test says so, and docs/clients.md is wrong.
    before = len(machine.visits)
    report = await run_sdk(machine, 1, "one that stays signed in")
    assert "403" in report["refused"]
    assert len(machine.visits) == before + 1


async def test_version_1_steps_up_if_it_cannot_refresh(machine: Any) -> None:
    before = len(machine.visits)
    report = await run_sdk(machine, 1, "one without", grantTypes=["authorization_code"])
    assert "created" in report, report
    assert len(machine.visits) == before + 2
    assert "todo_api:write" in machine.visits[-1]["scope"]


async def test_version_1_refreshes_on_its_next_run_and_asks_nobody(machine: Any) -> None:
    await run_sdk(machine, 1, "one again")
    await machine.wait_until_handles_have_expired()
    machine.mark()
    await run_sdk(machine, 1, "one again")
    assert await machine.has_only_refreshed()


@pytest.mark.parametrize("line", VERSIONS)
async def test_a_document_is_who_the_client_is(machine: Any, line: int) -> None:
    url = "https://client.example.com/oauth/client.json"
    machine.mark()
    await run_sdk(machine, line, f"document {line}", clientMetadataUrl=url)
    assert machine.visits[-1]["client_id"] == url
    assert "/register" not in {path for _, path, _ in machine.requests}
