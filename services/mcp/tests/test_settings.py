"""Which environments the service starts in."""

from typing import Any

import pytest

from mcp_server.settings import Settings
from service_kit.settings import InvalidSettings, read_settings

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
        ({"MCP_INTROSPECTION_CACHE_SECONDS": "3600"}, "MCP_INTROSPECTION_CACHE_SECONDS"),
        ({"MCP_PORT": "0"}, "MCP_PORT"),
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


def test_revealing_the_downstream_token_is_allowed_in_development(environment: Any) -> None:
    assert environment(DEVELOPMENT | {"REVEAL_DOWNSTREAM_TOKEN": "true"}).reveal_downstream_token
