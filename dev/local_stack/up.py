"""Starts the stack and keeps it running until Ctrl-C, with all logs in one place."""

import os
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from local_stack.ports import Ports
from local_stack.services import StackConfig
from local_stack.stack import running_stack
from pingone_simulator.people import PEOPLE

_COLOURS: Final = {"simulator": "blue", "auth": "green", "mcp": "cyan", "todo-api": "magenta"}
_NAME_WIDTH: Final = max(map(len, _COLOURS))
_WATCH_SECONDS: Final = 0.2


def run_up(console: Console, state: Path) -> int:
    """Run until Ctrl-C or SIGTERM and return 0; raise StackProblem if a service ends by itself."""
    config = StackConfig(state.resolve(), Ports.from_environment(os.environ))
    try:
        with (
            console.status("starting") as status,
            running_stack(
                config,
                on_line=lambda name, line: console.print(_log_line(name, line), soft_wrap=True),
                on_phase=status.update,
            ) as stack,
        ):
            status.stop()
            console.print(_closing_panel(config))
            while True:
                stack.refuse_dead()
                time.sleep(_WATCH_SECONDS)
    except KeyboardInterrupt:
        console.print(f"Stopped. The state is kept in {_displayed(config.state)}.")
    return 0


def _log_line(name: str, line: str) -> Text:
    style = "red" if "[error" in line or "[critical" in line else ""
    style = "yellow" if "[warning" in line else style
    prefix = Text(f"{name:<{_NAME_WIDTH}} │ ", style=_COLOURS.get(name, ""))
    return prefix.append(line, style=style)


def _closing_panel(config: StackConfig) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    users = ", ".join(f"{person.username}/{person.password}" for person in PEOPLE)
    rows = {
        "MCP URL": Text(config.mcp_url, style="bold"),
        "Sign in as": Text(users, style="bold"),
        "MCP Inspector": Text(
            "npx @modelcontextprotocol/inspector\n"
            f"choose Streamable HTTP and connect to {config.mcp_url}"
        ),
        "Claude Code": Text(
            f"claude mcp add --transport http todo {config.mcp_url}\nthen /mcp in a session"
        ),
        "mcp-remote": Text(f"npx mcp-remote {config.mcp_url}"),
        "State": Text(f"{_displayed(config.state)}  (make clean removes .local-state)"),
        "Logs": Text(f"{_displayed(config.logs)}/*.log"),
        "Stop": Text("Ctrl-C"),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return Panel(table, title="The stack is running", border_style="green", expand=False)


def _displayed(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
