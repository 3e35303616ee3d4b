"""What docker-compose.yml promises: nothing reachable, writable or privileged beyond need."""

import os
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Document = dict[str, Any]
ReadSettings = Callable[..., Any]

OWN = {"auth", "auth-migrate", "mcp", "todo-api", "todo-api-migrate", "pingone-simulator"}
SERVERS = {"auth", "mcp", "todo-api", "pingone-simulator"}


def test_every_published_port_is_on_loopback_and_none_is_an_internal_one(
    compose: Document,
) -> None:
    published = [port for service in compose["services"].values() for port in _ports(service)]
    assert sorted(published) == [
        "127.0.0.1:8080:8080",
        "127.0.0.1:8081:8081",
        "127.0.0.1:8082:8082",
        "127.0.0.1:9080:9080",
    ]


def test_no_container_can_write_to_its_root_or_gain_privileges(compose: Document) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service
        assert "cap_add" not in service


def test_only_those_who_keep_data_reach_the_databases(compose: Document) -> None:
    services = compose["services"]
    assert compose["networks"]["data"] == {"internal": True}
    reach = {name for name, service in services.items() if "data" in service["networks"]}
    assert reach == {"auth", "auth-migrate", "todo-api", "todo-api-migrate", "postgres", "redis"}
    for name in ("postgres", "redis"):
        assert services[name]["networks"] == ["data"]


def test_a_service_starts_when_what_it_needs_is_ready(compose: Document) -> None:
    services = compose["services"]
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            is_one_shot = needed.endswith("-migrate")
            expected = "service_completed_successfully" if is_one_shot else "service_healthy"
            assert how == {"condition": expected}, (name, needed)
    for name in ("auth", "todo-api"):
        assert f"{name}-migrate" in services[name]["depends_on"]
        assert services[f"{name}-migrate"]["command"] == ["migrate"]
        assert list(services[f"{name}-migrate"]["depends_on"]) == ["postgres"]


def test_the_services_accept_the_environments_they_are_given(
    compose: Document, settings_of: ReadSettings
) -> None:
    for name in SERVERS:
        settings_of(name, compose["services"][name]["environment"])


def test_every_variable_is_one_that_the_example_names(compose: Document, root: Path) -> None:
    known = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (root / ".env.example").read_text(), re.M))
    for name in OWN:
        assert set(compose["services"][name]["environment"]) <= known, name


def test_the_browser_and_the_back_channel_have_their_own_urls_of_one_issuer(
    compose: Document,
) -> None:
    environment = compose["services"]["auth"]["environment"]
    issuer = environment["PINGONE_ISSUER"]
    assert environment["PINGONE_AUTHORIZATION_ENDPOINT"] == f"{issuer}/authorize"
    back_channel = f"http://pingone-simulator:9080{urlsplit(issuer).path}"
    assert environment["PINGONE_TOKEN_ENDPOINT"] == f"{back_channel}/token"
    assert environment["PINGONE_JWKS_URI"] == f"{back_channel}/jwks"
    assert environment["PINGONE_USERINFO_ENDPOINT"] == f"{back_channel}/userinfo"
    assert environment["PINGONE_REVOCATION_ENDPOINT"] == f"{back_channel}/revoke"
    todo = compose["services"]["todo-api"]["environment"]
    assert (todo["API_ISSUER"], todo["API_JWKS_URI"]) == (issuer, f"{back_channel}/jwks")
    simulator = compose["services"]["pingone-simulator"]["environment"]
    assert simulator["SIMULATOR_ISSUER"] == issuer


def test_the_names_and_secrets_that_two_services_share_are_the_same(compose: Document) -> None:
    auth, mcp, simulator = (
        compose["services"][name]["environment"] for name in ("auth", "mcp", "pingone-simulator")
    )
    for name in ("MCP_RESOURCE", "INTROSPECTION_CLIENT_ID", "INTROSPECTION_CLIENT_SECRET"):
        assert auth[name] == mcp[name]
    assert mcp["AUTH_ISSUER"] == auth["AUTH_PUBLIC_URL"]
    assert simulator["SIMULATOR_CLIENT_ID"] == auth["MCP_SERVER_CLIENT_ID"]
    assert simulator["SIMULATOR_CLIENT_SECRET"] == auth["MCP_SERVER_CLIENT_SECRET"]
    assert simulator["SIMULATOR_REDIRECT_URIS"] == f"{auth['AUTH_PUBLIC_URL']}/callback"


def test_no_secret_is_written_in_the_file(root: Path, compose_secrets: dict[str, str]) -> None:
    text = (root / "docker-compose.yml").read_text()
    for name in compose_secrets:
        assert re.findall(rf"\$\{{{name}:\?run deploy/compose/make-secrets\}}", text), name
    for name in re.findall(r"^ +(\w*(?:SECRET|PASSWORD|_KEYS?)): (?!\$\{)", text, re.MULTILINE):
        raise AssertionError(f"{name} has a value of its own")


def test_secrets_are_private_and_a_second_run_keeps_them(tmp_path: Path, root: Path) -> None:
    script, file = root / "deploy/compose/make-secrets", tmp_path / "env"
    file.write_text("POSTGRES_PASSWORD=mine\nCOOKIE_ENCRYPTION_KEY=")
    for _ in range(2):
        subprocess.run([script, file], check=True, timeout=30)  # noqa: S603
        lines = file.read_text().splitlines()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [line for line in lines if line.startswith("POSTGRES_")] == [
            "POSTGRES_PASSWORD=mine"
        ]
        # An empty one is filled in; the last definition counts.
        assert [len(line) > 40 for line in lines if line.startswith("COOKIE_")] == [False, True]


def test_the_scripts_can_be_run(root: Path) -> None:
    scripts = ["check", "compose-test", "compose/make-secrets", "compose/stand-ins/build"]
    for script in [*scripts, "k8s/overlays/dev/make-secrets"]:
        file = root / "deploy" / script
        assert os.access(file, os.X_OK), script
        subprocess.run(["bash", "-n", file], check=True, timeout=30)  # noqa: S603, S607


def _ports(service: Document) -> list[str]:
    return [str(port) for port in service.get("ports", [])]
