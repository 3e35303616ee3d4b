"""A client on the JDK's defaults works: over plain HTTP each of its requests asks for h2c."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from installed_programs import installed

PROGRAM = Path(__file__).with_name("HttpClientDefaults.java")
ROUNDS = 50
JAVA_SECONDS = 120


@pytest.mark.long_proof
async def test_javas_own_http_client_on_its_defaults_registers_and_calls_mcp(
    cluster: Any, sign_in: Any, note: Any
) -> None:
    person = await sign_in()
    java = installed("java", "default-jdk-headless")
    urls = [cluster.auth[0].url, f"{cluster.mcp[0].url}/mcp"]
    command = [java, str(PROGRAM), *urls, person.access, str(ROUNDS)]
    result = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=JAVA_SECONDS, check=True
    )
    answers = [line.split(" ", 1) for line in result.stdout.splitlines()]
    registered, pinged = answers[::2], answers[1::2]
    assert len(registered) == len(pinged) == ROUNDS
    assert {status for status, _ in registered} == {"201"}
    assert {json.loads(document)["client_name"] for _, document in registered} == {"Java"}
    assert {status for status, _ in pinged} == {"200"}
    assert all(
        json.loads(document) == {"jsonrpc": "2.0", "id": "from Java", "result": {}}
        for _, document in pinged
    )
    note(
        27,
        "Java's `java.net.http.HttpClient` on its defaults, which asks for h2c with every request"
        " over plain HTTP, registers a client and calls the MCP server.",
        f"{len(answers)} requests, {len(answers)} answers to them",
    )
