"""`auth doctor`: what is wrong here is named with what to change, and nothing secret is told."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from auth_doctor import ENVIRONMENT, Patient

from auth_server.domain.grants import Grant, Subject
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.storage.database import Database
from auth_server.storage.encryption import Encryption, KeyRing
from auth_server.storage.ring_check import check_ring

OTHER_KEYS = "k2:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
OTHER_K1 = "k1:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="


@pytest.fixture
def patient(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Patient:
    return Patient(database_url, monkeypatch)


# These do not depend on the kind of database.
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_healthy_installation_has_no_finding_but_ok(patient: Patient) -> None:
    findings = patient.examine()
    assert {one["outcome"] for one in findings.values()} == {"ok"}
    assert set(findings) == {
        "configuration",
        "public URL",
        "database",
        "encryption keys",
        "Redis",
        "PingOne discovery",
        "PKCE",
        "published scopes",
        "PingOne keys",
        "clock",
        "redirect URI",
        "scope todo_api:read",
        "scope todo_api:write",
        "client credentials",
    }
    assert "http://localhost:8080/callback is registered" in findings["redirect URI"]["found"]


@on_one_database
def test_nothing_is_changed_at_pingone_or_here(patient: Patient) -> None:
    file = Path(patient.database_url.removeprefix("sqlite+aiosqlite:///"))
    before = file.read_bytes()
    patient.examine()
    assert file.read_bytes() == before
    authorize = [one for one in patient.pingone.requests if one.url.path.endswith("/authorize")]
    assert {one.url.params["prompt"] for one in authorize} == {"none"}


CHANGES = [
    ({"API_IDENTIFIER": "https://unknown.api.com"}, "sign-in request", "invalid_"),
    ({"MCP_SCOPES": "todo_api:read todo_api:x"}, "scope todo_api:x", "invalid_scope"),
    ({"MCP_SERVER_CLIENT_SECRET": "not-the-secret"}, "client credentials", "does not know"),
    ({"MCP_SERVER_CLIENT_ID": "nobody"}, "client credentials", "does not know"),
    ({"MCP_SERVER_CLIENT_ID": "nobody"}, "redirect URI", "does not know the client"),
    ({"AUTH_PUBLIC_URL": "https://auth.acme.com"}, "configuration", "is a placeholder"),
    ({"MCP_RESOURCE": None}, "configuration", "MCP_RESOURCE: must be set"),
]


@on_one_database
@pytest.mark.parametrize(("changes", "check", "words"), CHANGES)
def test_a_wrong_setting_is_a_problem(
    patient: Patient, changes: dict[str, str | None], check: str, words: str
) -> None:
    finding = patient.examine(**changes)[check]
    assert finding["outcome"] == "problem"
    assert words in finding["found"]


@on_one_database
def test_an_incomplete_environment_does_not_keep_it_from_the_database(patient: Patient) -> None:
    findings = patient.examine(PINGONE_ISSUER=None)
    assert findings["configuration"]["outcome"] == "problem"
    assert findings["database"]["outcome"] == "ok"


@on_one_database
def test_the_redirect_uri_to_register_is_told_exactly(patient: Patient) -> None:
    finding = patient.examine(AUTH_PUBLIC_URL="http://localhost:8089")["redirect URI"]
    assert finding["outcome"] == "problem"
    assert "register exactly http://localhost:8089/callback at" in finding["advice"]


@on_one_database
def test_the_text_names_what_is_wrong_and_what_to_change(patient: Patient) -> None:
    shown = patient.run(AUTH_PUBLIC_URL="http://localhost:8089", COLUMNS="80")
    assert shown.exit_code == 1
    lines = shown.stdout.splitlines()
    wrong = next(number for number, line in enumerate(lines) if line.startswith("problem"))
    assert "redirect URI" in lines[wrong]
    assert "→ register exactly http://localhost:8089/callback" in lines[wrong + 1]
    assert lines[-1] == "Problems: 1, warnings: 0."
    assert shown.stderr == ""


@on_one_database
def test_a_database_without_a_schema_needs_a_migration(patient: Patient, tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    url = f"sqlite+aiosqlite:///{file}"
    missing = patient.examine(AUTH_DATABASE_URL=url)["database"]
    assert not file.exists()
    file.touch()
    empty = patient.examine(AUTH_DATABASE_URL=url)["database"]
    assert missing["found"] == f"there is no file {file}"
    assert empty["found"] == "the database schema is not there, this version needs 0005"
    for finding in (missing, empty):
        assert (finding["outcome"], finding["advice"]) == ("problem", "run `auth migrate`")


def test_the_database_that_was_examined_is_named(patient: Patient) -> None:
    found = patient.examine()["database"]["found"]
    assert patient.database_url.rpartition("/")[2] in found


@on_one_database
def test_the_embedded_database_is_only_a_warning_outside_of_development(patient: Patient) -> None:
    # PINGONE_ISSUER is missing as well, so that only the database is looked at.
    changes = {"AUTH_PUBLIC_URL": "https://auth.acme.com", "PINGONE_ISSUER": None}
    finding = patient.examine(**changes)["database"]
    assert finding["outcome"] == "warning"
    assert "PostgreSQL" in finding["advice"]


@on_one_database
def test_a_database_that_is_away_is_a_problem(patient: Patient) -> None:
    url = "postgresql+asyncpg://auth:hunter2@127.0.0.1:1/auth"
    finding = patient.examine(AUTH_DATABASE_URL=url)["database"]
    assert finding["outcome"] == "problem"
    assert "no connection to the database" in finding["found"]


@on_one_database
def test_redis_that_does_not_answer_is_only_a_warning(patient: Patient) -> None:
    for url in ("redis://:hunter2@127.0.0.1:1", "rediss://:hunter2@localhost:1/0"):
        assert patient.examine(AUTH_REDIS_URL=url)["Redis"]["outcome"] == "warning"


@on_one_database
def test_redis_that_answers_is_well(patient: Patient, valkey_url: str) -> None:
    finding = patient.examine(AUTH_REDIS_URL=valkey_url)["Redis"]
    assert (finding["outcome"], finding["found"]) == ("ok", "answers")


def fill(database_url: str, *, is_registered: bool = True) -> None:
    """Store one token set under k1, as a service with this environment does."""
    now = datetime.now(UTC)

    async def insert() -> None:
        ring = KeyRing.parse(ENVIRONMENT["AUTH_ENCRYPTION_KEYS"])
        database = Database(database_url, Encryption(ring))
        await check_ring(database, now=now)
        async with database.transaction() as tx:
            scopes = frozenset({"todo_api:read"})
            subject = Subject("user-1", "ada@example.com")
            grant = Grant("grant-1", "client", subject, "https://m", scopes, now, now, now)
            await tx.grants.insert(grant)
            await tx.upstream_tokens.insert(grant.id, UpstreamTokens("a", "r", "openid", now))
            if not is_registered:
                await tx.encryption_keys.delete(["k1"])
        await database.close()

    asyncio.run(insert())


def test_the_keys_of_what_is_stored_are_counted(patient: Patient) -> None:
    fill(patient.database_url)
    finding = patient.examine(
        AUTH_ENCRYPTION_KEYS=f"{OTHER_KEYS},{ENVIRONMENT['AUTH_ENCRYPTION_KEYS']}"
    )["encryption keys"]
    assert finding["outcome"] == "ok"
    assert finding["found"] == "0 values under k2, 1 values under k1"


@pytest.mark.parametrize("is_registered", [True, False])
def test_values_under_a_key_that_is_gone_are_a_problem(
    patient: Patient, is_registered: bool
) -> None:
    fill(patient.database_url, is_registered=is_registered)
    finding = patient.examine(AUTH_ENCRYPTION_KEYS=OTHER_KEYS)["encryption keys"]
    assert finding["outcome"] == "problem"
    assert finding["found"] == "the ring lacks k1; values that need it: 1"


def test_another_key_under_an_old_id_is_a_problem(patient: Patient) -> None:
    fill(patient.database_url)
    finding = patient.examine(AUTH_ENCRYPTION_KEYS=OTHER_K1)["encryption keys"]
    assert finding["outcome"] == "problem"
    assert "not the k1 that this database was encrypted with" in finding["found"]


@on_one_database
@pytest.mark.parametrize(
    ("proxies", "outcome"), [("", "warning"), ("10.0.0.0/8", "ok"), ("none", "ok")]
)
def test_outside_development_the_proxies_in_front_are_to_be_named(
    patient: Patient, proxies: str, outcome: str
) -> None:
    findings = patient.examine(
        AUTH_PUBLIC_URL="https://auth.acme.com",
        AUTH_ENCRYPTION_KEYS="k1:3q2+7wAAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk=",
        COOKIE_ENCRYPTION_KEY="wP4tR8yU2iO6pA0sD3fG7hJ",
        MCP_SERVER_CLIENT_SECRET="Zq3vN8xKw1Lr5TyB",
        INTROSPECTION_CLIENT_SECRET="kZ8vQ2mN5xW7rT1yB4cD6fG",
        AUTH_TRUSTED_PROXIES=proxies,
    )
    assert findings["trusted proxies"]["outcome"] == outcome
