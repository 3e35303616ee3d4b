"""`python -m auth_server`: the command line, as an operator runs it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auth_server.cli import app

ENVIRONMENT = {
    "AUTH_PUBLIC_URL": "http://localhost:8080",
    "MCP_RESOURCE": "http://localhost:8081/mcp",
    "AUTH_ENCRYPTION_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "COOKIE_ENCRYPTION_KEY": "a-cookie-key-for-the-tests-only",
    "PINGONE_ISSUER": "http://localhost:9080/9b3a7c1e-4d52-4f86-a0be-6c1d2e8f7a45/as",
    "MCP_SERVER_CLIENT_ID": "c7d1e0b2-3f64-4a0b-8f5d-1a9e5b7c2d38",
    "MCP_SERVER_CLIENT_SECRET": "4d1f9a7be2c84f0ab6d5e3c2910f7a68",
    "API_IDENTIFIER": "https://todo.api.com",
    "INTROSPECTION_CLIENT_ID": "mcp",
    "INTROSPECTION_CLIENT_SECRET": "0b8e6f1d9c3a4752",
}

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command in a folder of its own, with this environment and nothing else."""

    def run(*arguments: str, **changes: str | None) -> "subprocess.CompletedProcess[str]":
        variables = {
            "PATH": os.environ["PATH"],
            "COLUMNS": "100",
            "AUTH_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/state/auth.db",
            **ENVIRONMENT,
            **changes,
        }
        return subprocess.run(  # noqa: S603  (our own command, our own arguments)
            [sys.executable, "-m", "auth_server", *arguments],
            env={name: value for name, value in variables.items() if value is not None},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_help_lists_the_commands_and_needs_no_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ENVIRONMENT:
        monkeypatch.delenv(variable, raising=False)
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0, shown.output
    for command in ("serve", "migrate", "doctor", "keys"):
        assert command in shown.output
    assert "Exit status" in shown.output


def test_migrate_makes_the_database_and_may_be_repeated(run: Run, tmp_path: Path) -> None:
    for _ in range(2):
        migrated = run("migrate")
        assert migrated.returncode == 0, migrated.stderr
        assert "newest schema" in migrated.stdout
    database = tmp_path / "state" / "auth.db"
    assert database.stat().st_mode & 0o077 == 0


def test_serve_without_a_schema_says_what_to_do(run: Run) -> None:
    refused = run("serve")
    assert refused.returncode == 1
    assert "run `auth migrate`" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_serve_with_a_ring_that_cannot_open_the_database_names_the_key(run: Run) -> None:
    assert run("migrate").returncode == 0
    assert run("keys", "rewrap").returncode == 0  # the first use of k1
    other = ENVIRONMENT["AUTH_ENCRYPTION_KEYS"].partition(":")[2].swapcase()
    for ring, words in (
        (f"k2:{other}", "the key ring lacks k1"),
        (f"k1:{other}", "the key k1 is not the k1 that this database was encrypted with"),
    ):
        refused = run("serve", AUTH_ENCRYPTION_KEYS=ring)
        assert refused.returncode == 1
        assert words in refused.stderr
        assert other not in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_command_keeps_its_output_apart_from_the_log(run: Run) -> None:
    assert run("migrate").returncode == 0
    listed = run("keys", "list", AUTH_LOG_LEVEL="DEBUG", AUTH_PUBLIC_URL="https://auth.acme.com")
    assert listed.stdout == "k1\tfirst\t-\t0\n"


def test_a_command_of_the_data_needs_nothing_of_pingone(run: Run) -> None:
    needed = {"AUTH_ENCRYPTION_KEYS"}
    assert run("migrate").returncode == 0
    listed = run("keys", "list", **dict.fromkeys(ENVIRONMENT.keys() - needed))
    assert (listed.returncode, listed.stderr) == (0, "")


def test_an_incomplete_environment_is_refused_by_name(run: Run) -> None:
    refused = run("serve", PINGONE_ISSUER=None, AUTH_PORT="http", COOKIE_ENCRYPTION_KEY="")
    assert refused.returncode == os.EX_CONFIG
    for variable in ("PINGONE_ISSUER", "AUTH_PORT"):
        assert variable in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_database_of_another_kind_is_refused_by_name(run: Run) -> None:
    refused = run("migrate", AUTH_DATABASE_URL="mysql://auth:hunter2@db/auth")
    assert refused.returncode == os.EX_CONFIG
    assert "AUTH_DATABASE_URL" in refused.stderr
    assert "hunter2" not in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_database_that_is_away_is_said_so_without_its_password(run: Run, command: str) -> None:
    refused = run(command, AUTH_DATABASE_URL="postgresql+asyncpg://auth:hunter2@127.0.0.1:1/auth")
    assert refused.returncode == 1
    assert "no connection to the database" in refused.stderr
    assert "hunter2" not in refused.stderr
    assert "Traceback" not in refused.stderr
