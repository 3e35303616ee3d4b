"""The guard that every program here runs under does refuse what it has to."""

from typing import Any

import pytest
from real_clients.program import run_program


@pytest.mark.parametrize("host", ["192.0.2.1", "packages.example.com"])
async def test_a_program_that_calls_home_is_refused_and_noted(machine: Any, host: str) -> None:
    note = machine.home / f"called {host}"
    environment = machine.environment | {"REFUSED_CONNECTIONS": str(note)}
    script = f"await fetch('https://{host}/')"
    command = [machine.packages.node, "--input-type=module", "--eval", script]
    outcome = await run_program(command, environment)
    assert outcome.status != 0
    assert host in note.read_text()


async def test_a_program_that_asks_this_computer_is_not(machine: Any) -> None:
    script = f"console.log(JSON.stringify((await fetch('{machine.mcp_url}')).status))"
    command = [machine.packages.node, "--input-type=module", "--eval", script]
    outcome = await run_program(command, machine.environment)
    assert outcome.stdout.strip() in {"401", "405"}, outcome.stderr
