"""Which environments the service starts in."""

from pathlib import Path
from typing import Any

import pytest

from mcp_server.settings import Settings
from service_kit.settings import InvalidSettings, read_settings

KEY = "Zt6Wc1Rb9Lq4Yx7Nd2Mf8Ks3Vh5Pg0Ja"
NEXT_KEY = "uE3wQ9mTr6BzX1kYc8VnLd5HsPf2Gj7A"
DEVELOPMENT = {
    "MCP_RESOURCE": "http://localhost:8081/mcp",
    "AUTH_ISSUER": "http://localhost:8080",
    "AUTH_INTERNAL_URL": "http://auth:8090",
    "INTROSPECTION_CLIENT_ID": "mcp",
    "INTROSPECTION_CLIENT_SECRET": "development",
    "API_URL": "http://todo-api:8082",
}
PRODUCTION = DEVELOPMENT | {
    "MCP_RESOURCE": "https://mcp.example.com/mcp",
    "AUTH_ISSUER": "https://auth.example.com",
    "INTROSPECTION_CLIENT_SECRET": "k3Jx8vQpZr5TnWbY7cLm",
    "MCP_REQUEST_STATE_KEYS": KEY,
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    def read(variables: dict[str, str]) -> Settings:
        for name in Settings.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return read_settings(Settings)

    return read


def test_development_and_production_start(environment: Any) -> None:
    assert environment(DEVELOPMENT).development is True
    assert environment(PRODUCTION).development is False
    assert environment(PRODUCTION).mcp_port == 8081
    assert environment(PRODUCTION).mcp_internal_port == 8091


def test_origins_are_a_comma_separated_list(environment: Any) -> None:
    settings = environment(
        PRODUCTION | {"MCP_ALLOWED_ORIGINS": "https://a.example, https://b.example:8443,"}
    )

    assert settings.mcp_allowed_origins == ("https://a.example", "https://b.example:8443")


@pytest.mark.parametrize("name", sorted(DEVELOPMENT))
def test_a_missing_variable_is_named(environment: Any, name: str) -> None:
    variables = {key: value for key, value in DEVELOPMENT.items() if key != name}

    with pytest.raises(InvalidSettings, match=name):
        environment(variables)


@pytest.mark.standard("RFC 9728 2 resource")
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"MCP_RESOURCE": "http://mcp.example.com/mcp"}, "MCP_RESOURCE"),
        ({"MCP_RESOURCE": "https://mcp.example.com/mcp/"}, "MCP_RESOURCE"),
        ({"MCP_RESOURCE": "https://mcp.example.com"}, "MCP_RESOURCE"),
        ({"AUTH_ISSUER": "https://auth.example.com/"}, "AUTH_ISSUER"),
        ({"AUTH_INTERNAL_URL": "auth:8090"}, "AUTH_INTERNAL_URL"),
        ({"API_URL": "http://user:password@todo-api"}, "API_URL"),
        ({"MCP_ALLOWED_ORIGINS": "*"}, "MCP_ALLOWED_ORIGINS"),
        ({"MCP_ALLOWED_ORIGINS": "https://a.example/path"}, "MCP_ALLOWED_ORIGINS"),
        ({"MCP_ALLOWED_ORIGINS": "null"}, "MCP_ALLOWED_ORIGINS"),
        ({"MCP_ALLOWED_ORIGINS": "https://*"}, "MCP_ALLOWED_ORIGINS"),
        ({"MCP_ALLOWED_ORIGINS": "https://*.example.com"}, "MCP_ALLOWED_ORIGINS"),
        ({"MCP_ALLOWED_ORIGINS": "https://user@a.example"}, "MCP_ALLOWED_ORIGINS"),
        ({"MCP_ALLOWED_HOSTS": "*"}, "MCP_ALLOWED_HOSTS"),
        ({"MCP_ALLOWED_HOSTS": "*:*"}, "MCP_ALLOWED_HOSTS"),
        ({"MCP_ALLOWED_HOSTS": "*.example.com"}, "MCP_ALLOWED_HOSTS"),
        ({"MCP_ALLOWED_HOSTS": "https://mcp.internal"}, "MCP_ALLOWED_HOSTS"),
        ({"MCP_ALLOWED_HOSTS": "mcp.internal/mcp"}, "MCP_ALLOWED_HOSTS"),
        ({"MCP_ALLOWED_HOSTS": "MCP.internal"}, "MCP_ALLOWED_HOSTS"),
        ({"MCP_ALLOWED_HOSTS": "mcp.internal:0"}, "MCP_ALLOWED_HOSTS"),
        ({"MCP_ALLOWED_HOSTS": "mcp.internal:65536"}, "MCP_ALLOWED_HOSTS"),
        ({"MCP_ALLOWED_HOSTS": "mcp.internal:80*"}, "MCP_ALLOWED_HOSTS"),
        ({"MCP_ALLOWED_HOSTS": "mcp internal"}, "MCP_ALLOWED_HOSTS"),
        ({"MCP_MAX_BODY_BYTES": "0"}, "MCP_MAX_BODY_BYTES"),
        ({"MCP_MAX_BODY_BYTES": "1000000000"}, "MCP_MAX_BODY_BYTES"),
        ({"MCP_MAX_DEPTH": "4"}, "MCP_MAX_DEPTH"),
        ({"MCP_MAX_DEPTH": "129"}, "MCP_MAX_DEPTH"),
        ({"MCP_REQUEST_STATE_KEYS": ""}, "MCP_REQUEST_STATE_KEYS"),
        ({"MCP_REQUEST_STATE_KEYS": "k3Jx8vQpZr5TnWbY7cLm"}, "MCP_REQUEST_STATE_KEYS"),
        ({"MCP_REQUEST_STATE_KEYS": "a" * 32}, "MCP_REQUEST_STATE_KEYS"),
        ({"MCP_REQUEST_STATE_KEYS": "changeme-" + KEY}, "MCP_REQUEST_STATE_KEYS"),
        ({"MCP_REQUEST_STATE_KEYS": f"{KEY},{KEY}"}, "MCP_REQUEST_STATE_KEYS"),
        ({"MCP_REQUEST_STATE_KEYS_FILE": "/etc/hostname"}, "MCP_REQUEST_STATE_KEYS"),
        ({"MCP_INTROSPECTION_CACHE_SECONDS": "3600"}, "MCP_INTROSPECTION_CACHE_SECONDS"),
        ({"MCP_PORT": "0"}, "MCP_PORT"),
        ({"MCP_PORT": "8091"}, "MCP_PORT and MCP_INTERNAL_PORT must differ"),
        ({"MCP_LOG_LEVEL": "LOUD"}, "MCP_LOG_LEVEL"),
        ({"INTROSPECTION_CLIENT_SECRET": "development-secret"}, "INTROSPECTION_CLIENT_SECRET"),
        ({"REVEAL_DOWNSTREAM_TOKEN": "true"}, "REVEAL_DOWNSTREAM_TOKEN"),
    ],
)
def test_production_refuses_what_is_wrong_and_says_which_variable(
    environment: Any, change: dict[str, str], named: str
) -> None:
    with pytest.raises(InvalidSettings, match=named) as caught:
        environment(PRODUCTION | change)

    assert "k3Jx8vQpZr5TnWbY7cLm" not in str(caught.value)
    assert "password" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_revealing_the_downstream_token_is_allowed_in_development(environment: Any) -> None:
    assert environment(DEVELOPMENT | {"REVEAL_DOWNSTREAM_TOKEN": "true"}).reveal_downstream_token


def test_development_needs_no_key_and_takes_one(environment: Any) -> None:
    assert environment(DEVELOPMENT).request_state_keys == ()
    assert environment(DEVELOPMENT | {"MCP_REQUEST_STATE_KEYS": KEY}).request_state_keys == (KEY,)


def test_keys_come_from_a_variable_or_a_file_in_their_order(
    environment: Any, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{NEXT_KEY}\n{KEY}\n")
    without = {name: text for name, text in PRODUCTION.items() if name != "MCP_REQUEST_STATE_KEYS"}
    from_file = environment(without | {"MCP_REQUEST_STATE_KEYS_FILE": str(file)})
    given = environment(PRODUCTION | {"MCP_REQUEST_STATE_KEYS": f"{NEXT_KEY}, {KEY}"})

    assert from_file.request_state_keys == given.request_state_keys == (NEXT_KEY, KEY)


@pytest.mark.parametrize("content", [b"", b"\n,\n", b"short", b"\xff" * 40, b"k" * 70_000])
def test_a_file_that_holds_no_keys_is_named_and_not_quoted(
    environment: Any, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    without = {name: text for name, text in PRODUCTION.items() if name != "MCP_REQUEST_STATE_KEYS"}

    with pytest.raises(InvalidSettings, match="MCP_REQUEST_STATE_KEYS") as caught:
        environment(without | {"MCP_REQUEST_STATE_KEYS_FILE": str(file)})

    assert "short" not in str(caught.value).replace("shorter", "")


def test_a_file_that_is_not_there_is_named(environment: Any, tmp_path: Path) -> None:
    missing = {"MCP_REQUEST_STATE_KEYS_FILE": str(tmp_path / "missing")}

    with pytest.raises(InvalidSettings, match="missing cannot be read"):
        environment(DEVELOPMENT | missing)


@pytest.mark.parametrize("scopes", ["", " ", "todo_api:read openid", "todo_api:READ"])
def test_a_challenge_names_scopes_of_this_server_and_at_least_one(
    environment: Any, scopes: str
) -> None:
    with pytest.raises(InvalidSettings, match="todo_api:read todo_api:write"):
        environment(DEVELOPMENT | {"MCP_CHALLENGE_SCOPES": scopes})
