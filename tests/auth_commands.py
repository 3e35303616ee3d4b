"""Runs commands of `auth` in process, on the database of the server under test and by its clock."""

import asyncio
import json
from typing import Any

import pytest
from auth_harness import AuthUnderTest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from auth_server.cli import app


class Commands:
    """The command line of an operator who has the environment of the server."""

    def __init__(self, auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = auth.resources.settings
        self._environment = {
            "AUTH_DATABASE_URL": settings.auth_database_url.get_secret_value(),
            "AUTH_ENCRYPTION_KEYS": settings.auth_encryption_keys.get_secret_value(),
        }
        monkeypatch.setattr("auth_server.cli.running.utc_now", auth.clock)
        # A process of its own would log to stderr; the log of this one is the tests'.
        monkeypatch.setattr("auth_server.cli.running.configure_logging", lambda **_: None)

    async def __call__(self, *arguments: str, answer: str = "", **environment: str) -> Result:
        """Run a command, which has an event loop of its own, to its end."""
        variables = self._environment | environment
        with capture_logs():
            return await asyncio.to_thread(
                lambda: CliRunner().invoke(app, arguments, input=answer, env=variables)
            )

    async def text(self, *arguments: str, **options: str) -> str:
        """What a command that succeeds prints to stdout."""
        result = await self(*arguments, **options)
        assert result.exit_code == 0, result.output
        return result.stdout

    async def json(self, *arguments: str, **options: str) -> list[dict[str, Any]]:
        """The documents that a command prints with --format jsonl."""
        text = await self.text(*arguments, "--format", "jsonl", **options)
        return [json.loads(line) for line in text.splitlines()]
