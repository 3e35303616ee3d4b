"""The files of the deployment, read once, and the environments that they give to the services."""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from auth_server.settings import AuthSettings
from mcp_server.settings import Settings as McpSettings
from pingone_simulator.settings import SimulatorSettings
from service_kit.settings import ServiceSettings, read_settings
from todo_api.settings import TodoApiSettings

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "k8s"
SETTINGS: dict[str, type[ServiceSettings]] = {
    "auth": AuthSettings,
    "mcp": McpSettings,
    "todo-api": TodoApiSettings,
    "pingone-simulator": SimulatorSettings,
}

Document = dict[str, Any]
ReadSettings = Callable[[str, Mapping[str, str]], Any]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def compose_secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What deploy/compose/make-secrets writes."""
    file = tmp_path_factory.mktemp("secrets") / "env"
    subprocess.run([ROOT / "deploy/compose/make-secrets", file], check=True, timeout=30)  # noqa: S603
    return parse_environment(file.read_text())


@pytest.fixture(scope="session")
def compose(compose_secrets: dict[str, str]) -> Document:
    """docker-compose.yml as Compose reads it with those secrets and without other variables."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        return compose_secrets[name] if kind == ":?" else rest

    text = (ROOT / "docker-compose.yml").read_text()
    document: Document = yaml.safe_load(re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", value, text))
    return document


@pytest.fixture(scope="session")
def base() -> list[Document]:
    """Every document of deploy/k8s/base."""
    return _documents(KUBERNETES / "base")


@pytest.fixture(scope="session")
def dev() -> list[Document]:
    """Every document that the overlay dev adds."""
    return _documents(KUBERNETES / "overlays" / "dev")


@pytest.fixture(scope="session")
def dev_secrets() -> dict[str, dict[str, str]]:
    """The Secrets that the overlay dev makes: their values by their names."""
    script = KUBERNETES / "overlays/dev/make-secrets"
    printed = subprocess.run([script], check=True, capture_output=True, timeout=30)  # noqa: S603
    return {
        item["metadata"]["name"]: item["stringData"] for item in yaml.safe_load_all(printed.stdout)
    }


@pytest.fixture(scope="session")
def environment_files() -> dict[str, dict[str, str]]:
    """Every .env file below deploy/k8s: `base/auth` and so on."""
    return {
        str(file.relative_to(KUBERNETES).with_suffix("")): parse_environment(file.read_text())
        for file in KUBERNETES.rglob("*.env")
    }


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch) -> ReadSettings:
    """Read a service's settings from an environment, as the service does when it starts."""

    def read(service: str, environment: Mapping[str, str]) -> Any:
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return read_settings(SETTINGS[service])

    return read


def parse_environment(text: str) -> dict[str, str]:
    """Parse NAME=value lines."""
    return dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))


def _documents(folder: Path) -> list[Document]:
    found: list[Document] = []
    for file in sorted(folder.glob("*.yaml")):
        if file.name != "kustomization.yaml":
            found += yaml.safe_load_all(file.read_text())
    return found
