"""The environment: what is refused at start, and with which words."""

import sys

import pytest
from pydantic import SecretStr

from service_kit.settings import InvalidSettings, read_settings
from todo_api.__main__ import main
from todo_api.settings import StoreSettings, TodoApiSettings

ISSUER = "https://auth.pingone.eu/5f0f6d6c-0000-4000-8000-000000000000/as"
SECRET_URL = "mysql://todo:very-secret@db/todo"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in TodoApiSettings.model_fields:
        monkeypatch.delenv(variable.upper(), raising=False)


@pytest.fixture(autouse=True)
def required_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no default: a forgotten URL must not turn production into development."""
    monkeypatch.setenv("API_ISSUER", ISSUER)
    monkeypatch.setenv("TODO_PUBLIC_URL", "http://localhost:8082")


def test_an_issuer_and_its_own_url_are_all_that_development_needs() -> None:
    settings = read_settings(TodoApiSettings)
    assert settings.development
    assert settings.api_audience == "https://todo.api.com"
    assert (settings.todo_port, settings.todo_internal_port) == (8082, 8092)


def test_a_migration_needs_no_issuer() -> None:
    assert read_settings(StoreSettings).development


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("API_ISSUER", None),
        ("API_ISSUER", ""),
        ("API_ISSUER", "auth.pingone.eu"),
        ("API_ISSUER", "http://auth.pingone.eu/env/as"),
        ("API_ISSUER", ISSUER + "/"),
        ("API_ISSUER", ISSUER + "?x=1"),
        ("API_AUDIENCE", ""),
        ("API_READ_SCOPE", ""),
        ("API_READ_SCOPE", "tasks.read tasks.write"),
        ("API_WRITE_SCOPE", 'tasks"write'),
        ("API_JWKS_URI", "ftp://localhost/jwks"),
        ("API_JWKS_URI", "jwks"),
        ("TODO_PUBLIC_URL", None),
        ("TODO_PUBLIC_URL", "http://todo.example"),
        ("TODO_LOG_LEVEL", "LOUD"),
        ("TODO_PORT", "0"),
        ("TODO_PORT", "8092"),
        ("TODO_INTERNAL_PORT", "http"),
        ("TODO_MAX_PER_USER", "0"),
        ("TODO_DATABASE_URL", SECRET_URL),
        ("TODO_DATABASE_URL", "todo.db"),
        ("TODO_DATABASE_URL", "sqlite+aiosqlite://"),
        ("TODO_DATABASE_URL", "sqlite+aiosqlite:///:memory:"),
        ("TODO_DATABASE_URL", "postgresql://todo:very-secret@db/todo"),
    ],
)
def test_a_wrong_variable_is_refused_by_name_and_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings) as refused:
        read_settings(TodoApiSettings)
    assert variable in str(refused.value)
    assert "very-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("public_url", "accepted"), [("http://localhost:8082", True), ("https://todo.api.com", False)]
)
def test_plain_http_to_the_key_set_is_for_development_only(
    monkeypatch: pytest.MonkeyPatch, public_url: str, accepted: bool
) -> None:
    monkeypatch.setenv("API_JWKS_URI", "http://simulator:9080/env/as/jwks")
    monkeypatch.setenv("TODO_PUBLIC_URL", public_url)
    if accepted:
        assert read_settings(TodoApiSettings).api_jwks_uri
    else:
        with pytest.raises(InvalidSettings, match="API_JWKS_URI must be https"):
            read_settings(TodoApiSettings)


def test_the_database_password_is_not_in_the_settings_text() -> None:
    url = SecretStr("postgresql+asyncpg://todo:very-secret@db/todo")
    assert "very-secret" not in repr(StoreSettings(todo_database_url=url))


def test_help_teaches_every_variable_and_the_first_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["todo_api", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "python -m todo_api migrate && python -m todo_api" in text
    for variable in TodoApiSettings.model_fields:
        assert variable.upper() in text
