"""What the pods are told: variables that exist, secrets that are made, images that have a tag."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Document = dict[str, Any]
ReadSettings = Callable[..., Any]

# What an operator puts into the Secrets of the base. Random, as a placeholder would be refused.
PRODUCTION_SECRETS = {
    "auth": {
        "AUTH_DATABASE_URL": "postgresql+asyncpg://auth:7c1d@db.example.com/auth",
        "AUTH_ENCRYPTION_KEYS": "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "COOKIE_ENCRYPTION_KEY": "mN5vT0qz8W2rKx4bY7uD",
        "MCP_SERVER_CLIENT_SECRET": "hQ3sL9wE6tR1pZ5kV8nB",
        "INTROSPECTION_CLIENT_SECRET": "cJ2fG7dA4yU0oI6xM1sH",
    },
    "mcp": {
        "INTROSPECTION_CLIENT_SECRET": "cJ2fG7dA4yU0oI6xM1sH",
        "MCP_REQUEST_STATE_KEYS": "pW8eC5nX1vB7kM3qT9zR2gJ6hD4sL0yF",
    },
    "todo-api": {"TODO_DATABASE_URL": "postgresql+asyncpg://todo:4f0a@db.example.com/todo"},
}


@pytest.fixture
def known(root: Path) -> set[str]:
    """The variables of .env.example."""
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (root / ".env.example").read_text(), re.M))


def test_every_variable_is_one_that_the_example_names(
    known: set[str],
    environment_files: dict[str, dict[str, str]],
    dev_secrets: dict[str, dict[str, str]],
) -> None:
    for name, environment in environment_files.items():
        assert set(environment) <= known, name
    for name, environment in dev_secrets.items():
        if name != "postgres-secrets":
            assert set(environment) <= known, name


def test_nothing_secret_is_in_a_file(
    known: set[str], base: list[Document], environment_files: dict[str, dict[str, str]]
) -> None:
    secret = {name for name in known if re.search(r"SECRET$|_KEYS?$|DATABASE_URL$", name)}
    assert len(secret) == 8
    for environment in environment_files.values():
        assert not secret & environment.keys()
    assert not [item for item in base if item["kind"] == "Secret"]


@pytest.mark.parametrize("service", PRODUCTION_SECRETS)
def test_the_services_accept_the_base_as_production(
    environment_files: dict[str, dict[str, str]], settings_of: ReadSettings, service: str
) -> None:
    environment = environment_files[f"base/{service}"] | PRODUCTION_SECRETS[service]
    settings = settings_of(service, environment)
    is_development = settings.is_development if service == "auth" else settings.development
    assert is_development is False


@pytest.mark.parametrize("service", [*PRODUCTION_SECRETS, "pingone-simulator"])
def test_the_services_accept_the_overlay_dev(
    environment_files: dict[str, dict[str, str]],
    dev_secrets: dict[str, dict[str, str]],
    settings_of: ReadSettings,
    service: str,
) -> None:
    of_base = environment_files.get(f"base/{service}", {})
    of_overlay = environment_files[f"overlays/dev/{service}"]
    settings_of(service, of_base | of_overlay | dev_secrets[f"{service}-secrets"])


def test_base_and_operator_give_a_secret_the_same_keys_as_the_overlay_dev(
    dev_secrets: dict[str, dict[str, str]],
) -> None:
    for service, values in PRODUCTION_SECRETS.items():
        assert dev_secrets[f"{service}-secrets"].keys() == values.keys()


def test_every_secret_that_a_pod_refers_to_is_made(
    base: list[Document], dev: list[Document], dev_secrets: dict[str, dict[str, str]]
) -> None:
    referred = {
        source["secretRef"]["name"]
        for item in base + dev
        if item["kind"] in {"Deployment", "StatefulSet", "Job"}
        for container in item["spec"]["template"]["spec"]["containers"]
        for source in container.get("envFrom", [])
        if "secretRef" in source
    }
    assert referred == dev_secrets.keys()


def test_the_simulator_is_in_the_overlay_dev_alone(
    root: Path, base: list[Document], environment_files: dict[str, dict[str, str]]
) -> None:
    kustomization = yaml.safe_load((root / "deploy/k8s/base/kustomization.yaml").read_text())
    assert "simulator" not in repr(base)
    assert "simulator" not in repr(kustomization)
    for name, environment in environment_files.items():
        if name.startswith("base/"):
            assert "simulator" not in repr(environment)
            assert not any(variable.startswith("SIMULATOR_") for variable in environment)
            assert "REVEAL_DOWNSTREAM_TOKEN" not in environment


@pytest.mark.parametrize("folder", ["base", "overlays/dev"])
def test_a_kustomization_names_each_of_its_files_and_tags_each_image(
    root: Path, base: list[Document], dev: list[Document], folder: str
) -> None:
    path = root / "deploy/k8s" / folder
    kustomization = yaml.safe_load((path / "kustomization.yaml").read_text())
    here = {file.name for file in path.glob("*.yaml")} - {"kustomization.yaml"}
    assert {name for name in kustomization["resources"] if name.endswith(".yaml")} == here
    used = {
        container["image"]
        for item in (base if folder == "base" else base + dev)
        if item["kind"] in {"Deployment", "StatefulSet", "Job"}
        for container in item["spec"]["template"]["spec"]["containers"]
    }
    tagged = {image["name"] for image in kustomization["images"] if image["newTag"] != "latest"}
    assert tagged == used


def test_the_databases_of_compose_and_of_the_overlay_dev_are_the_same_file(
    root: Path, compose: Document
) -> None:
    kustomization = yaml.safe_load(
        (root / "deploy/k8s/overlays/dev/kustomization.yaml").read_text()
    )
    generated = {item["name"]: item for item in kustomization["configMapGenerator"]}
    assert generated["postgres-databases"]["files"] == ["databases.sql"]
    (mounted,) = [
        volume.split(":")[0]
        for volume in compose["services"]["postgres"]["volumes"]
        if "initdb" in volume
    ]
    assert (root / mounted).resolve() == root / "deploy/k8s/overlays/dev/databases.sql"
