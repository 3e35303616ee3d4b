"""`auth keys`: what an operator does and sees when keys are made, counted and replaced."""

import asyncio
import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from auth_server.cli import app, running
from auth_server.domain.grants import Grant, Subject
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.settings import AuthSettings, DataSettings
from auth_server.storage.database import Database
from auth_server.storage.encryption import Encryption, KeyRing
from auth_server.storage.ring_check import check_ring
from service_kit.settings import read_settings

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
OLD = "old:" + base64.b64encode(bytes([1]) * 32).decode()
NEW = "new:" + base64.b64encode(bytes([2]) * 32).decode()
OTHER_OLD = "old:" + base64.b64encode(bytes([3]) * 32).decode()
GRANTS = 30

Auth = Callable[..., Result]


@pytest.fixture
def auth_command(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Auth:
    """The command line with the database, a ring, and no other variable."""
    for name in AuthSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("AUTH_DATABASE_URL", database_url)
    # It would last beyond this test.
    monkeypatch.setattr(running, "configure_logging", lambda **_: None)

    def run(*arguments: str, ring: str | None = None) -> Result:
        return CliRunner().invoke(app, ["keys", *arguments], env={"AUTH_ENCRYPTION_KEYS": ring})

    return run


def fill(database_url: str, ring: str, name: str = "grant") -> None:
    """Store a token set for each of GRANTS grants, as a service with this ring does."""

    async def insert() -> None:
        database = Database(database_url, Encryption(KeyRing.parse(ring)))
        await check_ring(database, now=NOW, may_lack=True)
        async with database.transaction() as tx:
            for number in range(GRANTS):
                grant = Grant(
                    id=f"{name}-{number}",
                    client_id="client",
                    subject=Subject("user-1", "ada@example.com"),
                    resource="https://mcp.example/mcp",
                    scopes=frozenset({"todo_api:read"}),
                    created_at=NOW,
                    expires_at=NOW + timedelta(days=30),
                    last_used_at=NOW,
                )
                tokens = UpstreamTokens("access", "refresh", "openid", NOW + timedelta(hours=1))
                await tx.grants.insert(grant)
                await tx.upstream_tokens.insert(grant.id, tokens)
        await database.close()

    asyncio.run(insert())


def table(result: Result) -> dict[str, list[str]]:
    """The cells of what was printed into a pipe, by key."""
    lines = (line.split("\t") for line in result.stdout.splitlines())
    return {key: cells for key, *cells in lines}


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in AuthSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("no_database")
def test_a_generated_key_can_be_appended_to_a_file_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys"
    for arguments in ([], ["--id", "autumn"], []):
        made = CliRunner().invoke(app, ["keys", "generate", *arguments])
        assert made.exit_code == 0, made.output
        assert made.stdout.count("\n") == 1
        assert "deploy everywhere" in made.stderr
        with file.open("a") as opened:
            opened.write(made.stdout)
    monkeypatch.setenv("AUTH_ENCRYPTION_KEYS_FILE", str(file))
    first, second, third = read_settings(DataSettings).key_ring.ids
    assert re.fullmatch(r"k20\d{6}[a-z0-9]{4}", first)
    assert second == "autumn"
    assert third != first


@pytest.mark.usefixtures("no_database")
def test_a_cookie_key_is_long_random_and_without_a_comma() -> None:
    made = [CliRunner().invoke(app, ["keys", "generate", "--cookie"]) for _ in range(2)]
    keys = [result.stdout.strip() for result in made]
    assert keys[0] != keys[1]
    for key in keys:
        assert re.fullmatch(r"[\w-]{43}", key)
    assert "COOKIE_ENCRYPTION_KEY" in made[0].stderr


@pytest.mark.usefixtures("no_database")
@pytest.mark.parametrize("name", ["", "with space", "a,b", "k:1", "x" * 33])
def test_an_id_that_no_ring_takes_is_refused(name: str) -> None:
    refused = CliRunner().invoke(app, ["keys", "generate", "--id", name])
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert "1 to 32 of" in refused.stderr


def test_list_counts_what_each_key_still_encrypts(auth_command: Auth, database_url: str) -> None:
    fill(database_url, OLD)
    listed = auth_command("list", ring=f"{NEW},{OLD}")
    assert listed.exit_code == 0, listed.output
    assert table(listed) == {
        "new": ["first", "-", "0"],
        "old": ["yes", "2026-11-02 09:30:00Z", str(GRANTS)],
    }
    assert listed.stderr == ""


def test_list_registers_nothing(auth_command: Auth, database_url: str) -> None:
    fill(database_url, OLD)
    auth_command("list", ring=f"{NEW},{OLD}")
    assert list(table(auth_command("list", ring=OLD))) == ["old"]


def test_list_shows_a_key_that_is_missing_and_one_that_is_another(
    auth_command: Auth, database_url: str
) -> None:
    fill(database_url, OLD)
    missing = auth_command("list", ring=NEW)
    assert table(missing)["old"] == ["missing", "2026-11-02 09:30:00Z", str(GRANTS)]
    assert "old is needed" in missing.stderr
    another = auth_command("list", ring=OTHER_OLD)
    assert table(another)["old"][0] == "another key"
    assert "not the key" in another.stderr


def test_after_a_rewrap_the_old_key_may_leave(auth_command: Auth, database_url: str) -> None:
    fill(database_url, OLD)
    done = auth_command("rewrap", "--batch", "4", ring=f"{NEW},{OLD}")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"new encrypts {GRANTS} values.",
        "Nothing needs old any more: it may leave the ring.",
    ]
    progress = done.stderr.splitlines()
    assert 5 <= len(progress) <= 10
    assert progress[-1] == f"rewrapped {GRANTS} of {GRANTS}"
    listed = auth_command("list", ring=f"{NEW},{OLD}")
    assert table(listed)["new"][2] == str(GRANTS)
    assert table(listed)["old"][1:] == ["-", "0"]
    assert "old encrypts nothing: it may leave the ring" in listed.stderr


def test_a_second_rewrap_has_nothing_to_do(auth_command: Auth, database_url: str) -> None:
    fill(database_url, OLD)
    auth_command("rewrap", ring=f"{NEW},{OLD}")
    again = auth_command("rewrap", ring=NEW)
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout == f"new encrypts {GRANTS} values.\n"


def test_rewrap_says_which_key_is_missing_and_for_how_many_values(
    auth_command: Auth, database_url: str
) -> None:
    fill(database_url, OLD)
    done = auth_command("rewrap", ring=NEW)
    assert done.exit_code == 1
    assert f"{GRANTS} need old, which the ring lacks" in done.stderr
    assert "may leave" not in done.stdout


def test_rewrap_refuses_a_ring_with_another_key_under_an_old_id(
    auth_command: Auth, database_url: str
) -> None:
    fill(database_url, OLD)
    refused = auth_command("rewrap", ring=f"{NEW},{OTHER_OLD}")
    assert refused.exit_code == 1
    told, advice = refused.stderr.split(": ")
    assert told == "the key old is not the old that this database was encrypted with"
    assert advice == "put the former back; a new key needs an id of its own\n"


def test_a_lost_key_is_given_up_with_the_grants_under_it(
    auth_command: Auth, database_url: str
) -> None:
    fill(database_url, OLD)
    fill(database_url, f"{NEW},{OLD}", "kept")
    asked = auth_command("abandon", "old", ring=NEW)
    assert asked.exit_code == 1
    assert f"End {GRANTS} grants, and forget old?" in asked.stderr
    with capture_logs():
        done = auth_command("abandon", "old", "--yes", ring=NEW)
    assert done.stdout == f"{GRANTS} grants ended; the service starts without old.\n"
    listed = auth_command("list", ring=NEW)
    assert list(table(listed)) == ["new"]
    assert table(listed)["new"][2] == str(GRANTS)


def test_a_key_that_is_still_there_is_not_given_up(auth_command: Auth, database_url: str) -> None:
    fill(database_url, OLD)
    refused = auth_command("abandon", "old", "--yes", ring=f"{NEW},{OLD}")
    assert refused.exit_code == 1
    assert "old is in the ring" in refused.stderr
    assert table(auth_command("list", ring=OLD))["old"][2] == str(GRANTS)


def test_a_key_that_nothing_needs_is_not_given_up_either(
    auth_command: Auth, database_url: str
) -> None:
    fill(database_url, OLD)
    refused = auth_command("abandon", "odl", "--yes", ring=OLD)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "nothing here needs a key odl" in refused.stderr


def test_no_key_is_ever_printed(auth_command: Auth, database_url: str) -> None:
    fill(database_url, OLD)
    for arguments in (["list"], ["rewrap"]):
        for ring in (f"{NEW},{OLD}", NEW, OTHER_OLD, f"{NEW},{OLD[:-2]}"):
            shown = auth_command(*arguments, ring=ring).output
            assert shown.strip()
            for key in (NEW, OLD, OTHER_OLD):
                assert key.partition(":")[2][:20] not in shown


@pytest.mark.parametrize("command", ["generate", "list", "rewrap", "abandon"])
def test_the_help_of_each_command_has_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, ["keys", command, "--help"])
    assert shown.exit_code == 0
    assert f"auth keys {command}" in shown.output
    assert "Example" in shown.output
