"""The start of the process: settings, the key file, and the warning."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pingone_simulator.app import create_app, service
from pingone_simulator.errors import InvalidScope
from pingone_simulator.settings import SimulatorSettings
from pingone_simulator.signing_key import load_or_create_signing_key
from service_kit.health import Lifecycle
from service_kit.settings import InvalidSettings, read_settings

ENVIRONMENT = "9b3a7c1e-4d52-4f86-a0be-6c1d2e8f7a45"


@pytest.fixture(autouse=True)
def _without_the_machines_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SIMULATOR_")]:
        monkeypatch.delenv(name)


def test_without_any_variable_it_is_ready_for_development() -> None:
    settings = read_settings(SimulatorSettings)

    assert settings.issuer == f"http://localhost:9080/{ENVIRONMENT}/as"
    assert settings.environment_id == ENVIRONMENT
    assert settings.refresh_grace_seconds == 0


def test_redirect_uris_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_REDIRECT_URIS", "http://a.example/cb, http://b.example/cb,")

    uris = read_settings(SimulatorSettings).redirect_uris

    assert uris == ("http://a.example/cb", "http://b.example/cb")


def test_there_can_be_more_apis_with_scopes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_RESOURCES", '{"https://tasks.api.com": ["tasks.read"]}')
    resources = create_app(read_settings(SimulatorSettings)).state.simulator.resources

    access = resources.resolve("openid tasks.read", "https://tasks.api.com")
    assert (access.audience, access.scope) == ("https://tasks.api.com", "openid tasks.read")
    with pytest.raises(InvalidScope, match="multiple resources"):
        resources.resolve("todo_api:read tasks.read", None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIMULATOR_ISSUER", "http://pingone.example/env/as"),
        ("SIMULATOR_ISSUER", "https://10.0.0.7/env/as"),
        ("SIMULATOR_ISSUER", "ftp://localhost/env/as"),
        ("SIMULATOR_ISSUER", "http://localhost:9080"),
        ("SIMULATOR_ISSUER", "http://localhost:9080/env/as/"),
        ("SIMULATOR_ISSUER", "http://localhost:9080/env/as?x=1"),
        ("SIMULATOR_REDIRECT_URIS", "/callback"),
        ("SIMULATOR_REDIRECT_URIS", "http://localhost:8080/callback#here"),
        ("SIMULATOR_RESOURCES", '["https://tasks.api.com"]'),
        ("SIMULATOR_RESOURCES", '{"https://tasks.api.com": ["todo_api:read"]}'),
        ("SIMULATOR_RESOURCES", '{"https://a.api.com": ["a"], "https://b.api.com": ["a"]}'),
        ("SIMULATOR_ACKNOWLEDGE_INSECURE", "true"),
        ("SIMULATOR_ACCESS_TOKEN_SECONDS", "0"),
        ("SIMULATOR_REFRESH_GRACE_SECONDS", "-1"),
        ("SIMULATOR_PORT", "70000"),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(InvalidSettings, match=name):
        read_settings(SimulatorSettings)


def test_an_issuer_elsewhere_is_allowed_to_those_who_mean_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SIMULATOR_ISSUER", "http://pingone-simulator:9080/env/as")
    monkeypatch.setenv("SIMULATOR_ACKNOWLEDGE_INSECURE", "yes")

    assert read_settings(SimulatorSettings).issuer_path == "/env/as"


def test_the_process_exits_with_what_to_change_when_the_issuer_is_not_loopback() -> None:
    environment = {**os.environ, "SIMULATOR_ISSUER": "http://pingone.example/env/as"}

    process = subprocess.run(
        [sys.executable, "-m", "pingone_simulator"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert process.returncode == os.EX_CONFIG
    assert "SIMULATOR_ACKNOWLEDGE_INSECURE=yes" in process.stderr
    assert "Traceback" not in process.stderr


def test_the_key_file_is_made_for_its_owner_only_and_used_again(tmp_path: Path) -> None:
    path = tmp_path / "signing-key.pem"

    created = load_or_create_signing_key(path)
    read_again = load_or_create_signing_key(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_again.kid == created.kid
    assert read_again.as_dict(private=False) == created.as_dict(private=False)


def test_a_key_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="SIMULATOR_KEY_FILE"):
        load_or_create_signing_key(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a key", b"-----BEGIN PUBLIC KEY-----\n\xff"])
def test_a_key_file_without_a_private_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing-key.pem"
    path.write_bytes(content)

    with pytest.raises(InvalidSettings, match="SIMULATOR_KEY_FILE"):
        create_app(SimulatorSettings(key_file=path))


def test_a_key_file_with_a_public_key_is_refused(tmp_path: Path) -> None:
    key = load_or_create_signing_key(tmp_path / "private.pem")
    path = tmp_path / "public.pem"
    path.write_bytes(key.as_pem(private=False))

    with pytest.raises(InvalidSettings, match="private key"):
        load_or_create_signing_key(path)


def test_a_key_file_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="SIMULATOR_KEY_FILE"):
        load_or_create_signing_key(tmp_path / "missing" / "key.pem")


async def test_the_service_announces_loudly_what_it_is_and_listens_where_it_was_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SIMULATOR_PORT", "9081")
    # It would redirect the log of all other tests.
    monkeypatch.setattr("pingone_simulator.app.configure_logging", lambda **_: None)

    with capture_logs() as logs:
        async with service(Lifecycle()) as [listener]:
            assert (listener.host, listener.port) == ("127.0.0.1", 9081)

    [banner] = [entry for entry in logs if entry["log_level"] == "warning"]
    assert "NOT PINGONE, NOT SECURE" in banner["event"]
    assert banner["issuer"] == SimulatorSettings().issuer
