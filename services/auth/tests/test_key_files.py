"""Keys from files, as a secret store mounts them: read as strictly as those from variables."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from auth_server.settings import AuthSettings
from service_kit.key_files import MAX_BYTES
from service_kit.settings import InvalidSettings, read_settings

ONE = base64.b64encode(bytes(range(32))).decode()
TWO = base64.b64encode(bytes(range(32, 64))).decode()
SECRET = "4d1f9a7be2c84f0ab6d5e3c2910f7a68"
OTHER_SECRET = "0b8e6f1d9c3a47528e1c7d20b5fa9346"

ENVIRONMENT = {
    "AUTH_PUBLIC_URL": "https://auth.acme.com",
    "MCP_RESOURCE": "https://mcp.acme.com/mcp",
    "PINGONE_ISSUER": "https://auth.pingone.eu/9b3a7c1e-4d52-4f86-a0be-6c1d2e8f7a45/as",
    "MCP_SERVER_CLIENT_ID": "c7d1e0b2-3f64-4a0b-8f5d-1a9e5b7c2d38",
    "MCP_SERVER_CLIENT_SECRET": SECRET,
    "API_IDENTIFIER": "https://todo.api.com",
    "INTROSPECTION_CLIENT_ID": "mcp",
    "INTROSPECTION_CLIENT_SECRET": SECRET,
}

Read = Callable[..., AuthSettings]
KEYS_AND_COOKIES = [
    ("AUTH_ENCRYPTION_KEYS", f"k1:{ONE}"),
    ("COOKIE_ENCRYPTION_KEY", SECRET),
]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads the settings of an environment that is complete but for the keys."""
    for name in AuthSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    def read(**keys: str) -> AuthSettings:
        for name, value in keys.items():
            monkeypatch.setenv(name, value)
        return read_settings(AuthSettings)

    return read


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mounted-keys"


@pytest.mark.parametrize(
    "text",
    [
        f"k2:{TWO}\nk1:{ONE}\n",
        f"k2:{TWO},k1:{ONE}",
        f"\n k2:{TWO} \r\n\r\nk1:{ONE}",
        f"k2:{TWO},\nk1:{ONE},\n",
    ],
    ids=["a key a line", "comma separated", "white space and empty lines", "both"],
)
def test_a_file_of_encryption_keys_is_a_ring(read: Read, file: Path, text: str) -> None:
    file.write_text(text)
    settings = read(AUTH_ENCRYPTION_KEYS_FILE=str(file), COOKIE_ENCRYPTION_KEY=SECRET)
    assert settings.key_ring.ids == ("k2", "k1")


def test_a_file_of_cookie_keys_is_read_in_order(read: Read, file: Path) -> None:
    file.write_text(f"{SECRET}\n{OTHER_SECRET}\n")
    settings = read(COOKIE_ENCRYPTION_KEY_FILE=str(file), AUTH_ENCRYPTION_KEYS=f"k1:{ONE}")
    assert settings.cookie_keys == (SECRET, OTHER_SECRET)


def test_a_link_is_followed_as_kubernetes_mounts_secrets(
    read: Read, file: Path, tmp_path: Path
) -> None:
    file.write_text(f"k1:{ONE}\n")
    link = tmp_path / "link"
    link.symlink_to(file)
    settings = read(AUTH_ENCRYPTION_KEYS_FILE=str(link), COOKIE_ENCRYPTION_KEY=SECRET)
    assert settings.key_ring.ids == ("k1",)


@pytest.mark.parametrize(("variable", "value"), KEYS_AND_COOKIES)
def test_variable_and_file_together_are_refused(
    read: Read, file: Path, variable: str, value: str
) -> None:
    file.write_text(value)
    with pytest.raises(InvalidSettings, match=f"{variable}: {variable}_FILE is set as well"):
        read(**{**dict(KEYS_AND_COOKIES), f"{variable}_FILE": str(file)})


@pytest.mark.parametrize(("variable", "_value"), KEYS_AND_COOKIES)
def test_neither_variable_nor_file_is_refused_beside_other_mistakes(
    read: Read, variable: str, _value: str
) -> None:
    with pytest.raises(InvalidSettings) as refused:
        read(**{**dict(KEYS_AND_COOKIES), variable: "", "AUTH_PORT": "http"})
    assert f"{variable}: this or {variable}_FILE must be set" in str(refused.value)
    assert "AUTH_PORT" in str(refused.value)


@pytest.mark.parametrize(("variable", "value"), KEYS_AND_COOKIES)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"", "holds no key"),
        (b" \n,\n", "holds no key"),
        (b"\xff\xfe", "is not text"),
        (b"x" * (MAX_BYTES + 1), "is longer than 65536 bytes"),
    ],
    ids=["missing", "empty", "blank", "binary", "endless"],
)
def test_a_file_that_cannot_be_one_of_keys_is_named(
    read: Read, file: Path, variable: str, value: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        file.write_bytes(content)
    others = {name: text for name, text in KEYS_AND_COOKIES if name != variable}
    with pytest.raises(InvalidSettings) as refused:
        read(**others, **{f"{variable}_FILE": str(file)})
    assert f"{variable}: {file} {words}" in str(refused.value)
    assert value not in str(refused.value)


def test_a_wrong_key_is_named_by_file_and_position_and_never_shown(read: Read, file: Path) -> None:
    file.write_text(f"k1:{ONE}\n\nk2:{TWO[:-1]}!\n")
    with pytest.raises(InvalidSettings) as refused:
        read(AUTH_ENCRYPTION_KEYS_FILE=str(file), COOKIE_ENCRYPTION_KEY=SECRET)
    assert f"{file}: key 2: what follows the id is not base64" in str(refused.value)
    for key in (ONE, TWO[:-1]):
        assert key not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "placeholder"),
    [
        ("AUTH_ENCRYPTION_KEYS", f"k1:{base64.b64encode(bytes(32)).decode()}"),
        ("COOKIE_ENCRYPTION_KEY", "changeme-changeme-changeme"),
    ],
)
def test_a_placeholder_in_a_file_is_refused_outside_development(
    read: Read, file: Path, variable: str, placeholder: str
) -> None:
    file.write_text(placeholder)
    others = {name: text for name, text in KEYS_AND_COOKIES if name != variable}
    with pytest.raises(InvalidSettings, match=f"{variable} is a placeholder"):
        read(**others, **{f"{variable}_FILE": str(file)})
