"""The environment: what may not be started with is refused, by the variable's name."""

import base64
from collections.abc import Callable

import pytest

from auth_server.settings import AuthSettings
from service_kit.settings import InvalidSettings, read_settings

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(range(32, 64))).decode()
SECRET = "4d1f9a7be2c84f0ab6d5e3c2910f7a68"
PUBLIC_URL = "https://auth.acme.com"

ENVIRONMENT = {
    "AUTH_PUBLIC_URL": "http://localhost:8080",
    "MCP_RESOURCE": "http://localhost:8081/mcp",
    "AUTH_ENCRYPTION_KEYS": f"k1:{KEY}",
    "COOKIE_ENCRYPTION_KEY": SECRET,
    "PINGONE_ISSUER": "https://auth.pingone.eu/9b3a7c1e-4d52-4f86-a0be-6c1d2e8f7a45/as",
    "MCP_SERVER_CLIENT_ID": "c7d1e0b2-3f64-4a0b-8f5d-1a9e5b7c2d38",
    "MCP_SERVER_CLIENT_SECRET": SECRET,
    "API_IDENTIFIER": "https://todo.api.com",
    "INTROSPECTION_CLIENT_ID": "mcp",
    "INTROSPECTION_CLIENT_SECRET": SECRET,
}

Read = Callable[..., AuthSettings]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads the settings from a complete environment, changed as told; None unsets a variable."""
    for name in AuthSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def read(**changes: str | None) -> AuthSettings:
        for name, value in (ENVIRONMENT | changes).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        return read_settings(AuthSettings)

    return read


def assert_refused(read: Read, variable: str, value: str | None, **others: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        read(**{variable: value}, **others)
    assert variable in str(refused.value)
    if value and len(value) > 8:  # a shorter one may be a word of the message
        assert value not in str(refused.value)


@pytest.mark.parametrize("variable", ["AUTH_PUBLIC_URL", "MCP_RESOURCE"])
def test_a_forgotten_public_url_does_not_turn_production_into_development(
    read: Read, variable: str
) -> None:
    assert_refused(read, variable, None)


def test_the_defaults_are_those_of_development(read: Read) -> None:
    settings = read()
    assert settings.is_development
    assert settings.auth_public_url == "http://localhost:8080"
    assert settings.mcp_resource == "http://localhost:8081/mcp"


def test_behind_https_it_is_no_development(read: Read) -> None:
    assert not read(AUTH_PUBLIC_URL=PUBLIC_URL).is_development


@pytest.mark.parametrize("variable", sorted(ENVIRONMENT))
def test_a_missing_variable_is_named(read: Read, variable: str) -> None:
    assert_refused(read, variable, None)


def test_all_mistakes_are_named_at_once(read: Read) -> None:
    with pytest.raises(InvalidSettings) as refused:
        read(AUTH_PORT="0", AUTH_PUBLIC_URL="nonsense", PINGONE_ISSUER=None)
    for variable in ("AUTH_PORT", "AUTH_PUBLIC_URL", "PINGONE_ISSUER"):
        assert variable in str(refused.value)


@pytest.mark.standard("RFC 6749 3.1 TLS", "RFC 8414 2 issuer", "RFC 9728 2 resource")
@pytest.mark.parametrize("variable", ["AUTH_PUBLIC_URL", "PINGONE_ISSUER", "MCP_RESOURCE"])
@pytest.mark.parametrize(
    "url",
    [
        "acme.com",
        "ftp://acme.com",
        "http://acme.com",
        "http://localhost.acme.com",
        "https://",
        "https://acme.com/",
        "https://acme.com?x=1",
        "https://acme.com#x",
        "https://user@acme.com",
        "https://acme.com:99999",
        " https://acme.com",
        "https://acme.com\n",
    ],
    ids=ascii,
)
def test_a_url_that_clients_could_not_compare_is_refused(
    read: Read, variable: str, url: str
) -> None:
    with pytest.raises(InvalidSettings, match=variable):
        read(**{variable: url})


@pytest.mark.standard("RFC 8414 2 issuer")
def test_the_issuer_has_no_path(read: Read) -> None:
    assert_refused(read, "AUTH_PUBLIC_URL", f"{PUBLIC_URL}/auth")


@pytest.mark.standard("OIDC Core 16.17")
def test_outside_development_pingone_is_reached_by_https_only(read: Read) -> None:
    endpoint = "http://pingone.acme.com/jwks"
    assert read(PINGONE_JWKS_URI=endpoint).endpoint_overrides == {"jwks_uri": endpoint}
    assert_refused(read, "PINGONE_JWKS_URI", endpoint, AUTH_PUBLIC_URL=PUBLIC_URL)


PLACEHOLDERS = ["changeme-changeme-changeme", "development-client-secret", "short", "insecure" * 4]


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
@pytest.mark.parametrize(
    "variable",
    ["COOKIE_ENCRYPTION_KEY", "MCP_SERVER_CLIENT_SECRET", "INTROSPECTION_CLIENT_SECRET"],
)
def test_a_placeholder_is_refused_outside_development_only(
    read: Read, variable: str, placeholder: str
) -> None:
    assert read(**{variable: placeholder}).is_development
    assert_refused(read, variable, placeholder, AUTH_PUBLIC_URL=PUBLIC_URL)


def test_a_placeholder_among_the_cookie_keys_is_refused(read: Read) -> None:
    keys = f"{SECRET}, changeme-changeme-changeme"
    assert_refused(read, "COOKIE_ENCRYPTION_KEY", keys, AUTH_PUBLIC_URL=PUBLIC_URL)


def test_an_encryption_key_of_nothing_but_zeros_is_a_placeholder(read: Read) -> None:
    keys = f"k1:{base64.b64encode(bytes(32)).decode()}"
    assert read(AUTH_ENCRYPTION_KEYS=keys).is_development
    assert_refused(read, "AUTH_ENCRYPTION_KEYS", keys, AUTH_PUBLIC_URL=PUBLIC_URL)


def test_the_secret_of_a_configured_client_must_not_be_a_placeholder_either(read: Read) -> None:
    clients = (
        '[{"client_id": "portal", "client_secret": "changeme",'
        ' "redirect_uris": ["https://portal.acme.com/callback"]}]'
    )
    assert read(AUTH_CLIENTS=clients).is_development
    assert_refused(read, "AUTH_CLIENTS", clients, AUTH_PUBLIC_URL=PUBLIC_URL)


def test_the_first_of_several_keys_comes_first(read: Read) -> None:
    settings = read(
        COOKIE_ENCRYPTION_KEY=f" one-{SECRET} , two-{SECRET},",
        AUTH_ENCRYPTION_KEYS=f"new:{KEY}, old:{OTHER_KEY}",
    )
    assert settings.cookie_keys == (f"one-{SECRET}", f"two-{SECRET}")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AUTH_ENCRYPTION_KEYS", ""),
        ("AUTH_ENCRYPTION_KEYS", KEY),
        ("AUTH_ENCRYPTION_KEYS", f":{KEY}"),
        ("AUTH_ENCRYPTION_KEYS", "k1:"),
        ("AUTH_ENCRYPTION_KEYS", "k1:not base64"),
        ("AUTH_ENCRYPTION_KEYS", f"k1:{base64.b64encode(bytes(31)).decode()}"),
        ("AUTH_ENCRYPTION_KEYS", f"k1:{KEY},"),
        ("AUTH_ENCRYPTION_KEYS", f"k1:{KEY},k2:{KEY}"),
        ("AUTH_ENCRYPTION_KEYS", f"k1:{KEY},k1:{OTHER_KEY}"),
        ("AUTH_ENCRYPTION_KEYS", f"k\u00e9:{KEY}"),
        ("AUTH_ENCRYPTION_KEYS", f"{'k' * 300}:{KEY}"),
        ("COOKIE_ENCRYPTION_KEY", ""),
        ("COOKIE_ENCRYPTION_KEY", " , "),
        ("AUTH_CLIENTS", "{}"),
        ("AUTH_CLIENTS", "["),
        ("AUTH_CLIENTS", '["portal"]'),
        ("AUTH_CLIENTS", '[{"client_name": "no client_id"}]'),
        ("AUTH_CLIENTS", '[{"client_id": "portal"}]'),
        ("AUTH_CLIENTS", '[{"client_id": "portal", "redirect_uris": ["javascript:alert(1)"]}]'),
        (
            "AUTH_CLIENTS",
            '[{"client_id": "p", "redirect_uris": ["https://a.b/c"], "client_secret": 17}]',
        ),
        (
            # Whoever wrote the keys did not mean a client that anybody may pose as.
            "AUTH_CLIENTS",
            '[{"client_id": "p", "redirect_uris": ["https://a.b/c"], "jwks_uri": "https://a.b/k"}]',
        ),
        (
            "AUTH_CLIENTS",
            '[{"client_id": "p", "redirect_uris": ["https://a.b/c"], "client_secret": "s",'
            ' "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://a.b/k"}]',
        ),
        ("AUTH_PRIVATE_USE_SCHEMES", "cursor JavaScript"),
        ("AUTH_PRIVATE_USE_SCHEMES", "http"),
        ("AUTH_REGISTRATION", "closed"),
        ("AUTH_DATABASE_URL", "mysql://auth:hunter2@db/auth"),
        ("AUTH_DATABASE_URL", "postgresql://auth:hunter2@db/auth"),
        ("AUTH_DATABASE_URL", "sqlite+aiosqlite://"),
        ("AUTH_DATABASE_URL", "nonsense"),
        ("AUTH_REDIS_URL", "redis"),
        ("AUTH_REDIS_URL", "http://redis:6379"),
        ("AUTH_REDIS_URL", "redis://:6379"),
        ("AUTH_REDIS_URL", "redis://redis:65536"),
        ("AUTH_REDIS_URL", "unix:///run/redis.sock"),
        ("MCP_SCOPES", "todo_api:read  todo_api:write"),
        ("MCP_SCOPES", ""),
        ("PINGONE_SCOPES", 'openid "profile"'),
        ("PINGONE_TOKEN_ENDPOINT", "token"),
        ("PINGONE_TIMEOUT_SECONDS", "0"),
        ("AUTH_PORT", "65536"),
        ("AUTH_PORT", "8090"),
        ("AUTH_CODE_SECONDS", "601"),
        ("AUTH_CONSENT_DAYS", "0"),
        ("AUTH_REFRESH_GRACE_SECONDS", "-1"),
        ("AUTH_REFRESH_GRACE_SECONDS", "601"),
        ("AUTH_GRANTS_PER_CLIENT", "0"),
        ("AUTH_GRANTS_PER_CLIENT", "1001"),
        ("AUTH_LOG_LEVEL", "LOUD"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_value_that_cannot_work_is_refused_at_the_start(
    read: Read, variable: str, value: str
) -> None:
    assert_refused(read, variable, value)


def test_no_secret_is_shown_by_the_settings_themselves(read: Read) -> None:
    shown = repr(read())
    assert SECRET not in shown
    assert KEY not in shown


def test_nothing_of_a_malformed_secret_is_told(read: Read) -> None:
    with pytest.raises(InvalidSettings) as refused:
        read(AUTH_ENCRYPTION_KEYS=f"k1:{KEY[:-1]}!")
    assert KEY[:-1] not in str(refused.value)
