"""What the Kubernetes base and its overlay dev promise, read from their sources."""

from collections.abc import Callable
from typing import Any

import pytest

from auth_server.settings import MAX_PINGONE_TIMEOUT_SECONDS, AuthSettings
from service_kit import serving

Document = dict[str, Any]
ReadSettings = Callable[..., Any]

PORTS = {"auth": (8080, 8090), "mcp": (8081, 8091), "todo-api": (8082, 8092)}
WORKLOADS = {"Deployment", "StatefulSet", "Job"}
PROMETHEUS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
}


@pytest.fixture
def pods(base: list[Document], dev: list[Document]) -> dict[str, Document]:
    """The specification of every pod, by the name of what makes it."""
    return {
        item["metadata"]["name"]: item["spec"]["template"]["spec"]
        for item in base + dev
        if item["kind"] in WORKLOADS
    }


def test_the_ingress_reaches_public_ports_and_nothing_else(base: list[Document]) -> None:
    (ingress,) = _of_kind(base, "Ingress")
    backends = {
        (path["backend"]["service"]["name"], path["backend"]["service"]["port"]["name"])
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    assert backends == {("auth", "public"), ("mcp", "public")}
    assert "defaultBackend" not in ingress["spec"]


def test_public_and_internal_ports_are_different_services(base: list[Document]) -> None:
    services = {item["metadata"]["name"]: item["spec"] for item in _of_kind(base, "Service")}
    expected = {}
    for name, (public, internal) in PORTS.items():
        expected[name] = [{"name": "public", "port": public, "targetPort": "public"}]
        expected[f"{name}-internal"] = [
            {"name": "internal", "port": internal, "targetPort": "internal"}
        ]
    assert {name: spec["ports"] for name, spec in services.items()} == expected
    assert not any("type" in spec for spec in services.values())


def test_only_mcp_and_prometheus_reach_the_internal_port_of_auth(
    base: list[Document], dev: list[Document]
) -> None:
    rules = _ingress_rules(base + dev, "auth", 8090)
    assert [peer for rule in rules for peer in rule["from"]] == [
        {"podSelector": {"matchLabels": _server("mcp")}},
        PROMETHEUS,
    ]


@pytest.mark.parametrize(("service", "port"), [("mcp", 8091), ("todo-api", 8092)])
def test_only_prometheus_reaches_the_other_internal_ports(
    base: list[Document], dev: list[Document], service: str, port: int
) -> None:
    rules = _ingress_rules(base + dev, service, port)
    assert [peer for rule in rules for peer in rule["from"]] == [PROMETHEUS]


def test_only_mcp_reaches_the_api(base: list[Document], dev: list[Document]) -> None:
    rules = _ingress_rules(base + dev, "todo-api", 8082)
    assert [peer for rule in rules for peer in rule["from"]] == [
        {"podSelector": {"matchLabels": _server("mcp")}}
    ]


def test_whatever_no_policy_allows_is_denied(base: list[Document]) -> None:
    (deny,) = [
        item["spec"]
        for item in _of_kind(base, "NetworkPolicy")
        if item["metadata"]["name"] == "default-deny"
    ]
    everything = {"matchLabels": {"app.kubernetes.io/part-of": "mcp-pingone"}}
    assert (deny["podSelector"], deny.get("ingress")) == (everything, None)
    assert {port["port"] for rule in deny["egress"] for port in rule["ports"]} == {53}
    for policy in _of_kind(base, "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []) + policy["spec"].get("egress", []):
            assert rule["ports"], "a rule without ports opens all of them"


def test_mcp_talks_to_auth_and_to_the_api_alone(base: list[Document]) -> None:
    (policy,) = [
        item["spec"]
        for item in _of_kind(base, "NetworkPolicy")
        if item["metadata"]["name"] == "mcp"
    ]
    assert [(rule["to"], rule["ports"]) for rule in policy["egress"]] == [
        ([{"podSelector": {"matchLabels": _server("auth")}}], [{"port": 8090}]),
        ([{"podSelector": {"matchLabels": _server("todo-api")}}], [{"port": 8082}]),
    ]


def test_no_pod_is_root_or_may_become_it(pods: dict[str, Document]) -> None:
    for name, pod in pods.items():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys(), name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name


def test_no_pod_holds_a_credential_of_the_cluster(
    pods: dict[str, Document], base: list[Document]
) -> None:
    for name, pod in pods.items():
        assert pod["automountServiceAccountToken"] is False, name
    for account in _of_kind(base, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_service_links_do_not_overwrite_settings(pods: dict[str, Document]) -> None:
    # A Service named auth would otherwise set AUTH_PORT=tcp://10.0.0.1:8080.
    for name, pod in pods.items():
        assert pod["enableServiceLinks"] is False, name


def test_every_container_is_bounded(pods: dict[str, Document]) -> None:
    for name, pod in pods.items():
        for container in pod["containers"]:
            resources = container["resources"]
            assert {"cpu", "memory"} <= resources["requests"].keys(), name
            assert "memory" in resources["limits"], name
        for volume in pod.get("volumes", []):
            assert volume.get("emptyDir", {"sizeLimit": ""}).keys() == {"sizeLimit"}, name


@pytest.mark.parametrize("service", PORTS)
def test_probes_ask_the_internal_port(pods: dict[str, Document], service: str) -> None:
    (container,) = pods[service]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == dict(zip(("public", "internal"), PORTS[service], strict=True))
    asked = {
        name: container[name]["httpGet"]
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert asked == {
        "startupProbe": {"path": "/livez", "port": "internal"},
        "livenessProbe": {"path": "/livez", "port": "internal"},
        "readinessProbe": {"path": "/readyz", "port": "internal"},
    }


@pytest.mark.parametrize("service", PORTS)
def test_a_pod_has_the_time_to_drain(pods: dict[str, Document], service: str) -> None:
    (container,) = pods[service]["containers"]
    needed = container["lifecycle"]["preStop"]["sleep"]["seconds"] + serving.DRAIN_SECONDS
    if service == "auth":
        longest = MAX_PINGONE_TIMEOUT_SECONDS
        needed += AuthSettings.model_construct(pingone_timeout_seconds=longest).drain_seconds
    assert pods[service]["terminationGracePeriodSeconds"] > needed


@pytest.mark.parametrize("service", PORTS)
def test_a_service_survives_the_loss_of_a_node(base: list[Document], service: str) -> None:
    (deployment,) = [
        item["spec"] for item in _of_kind(base, "Deployment") if item["metadata"]["name"] == service
    ]
    assert deployment["replicas"] == 2
    assert deployment["strategy"] == {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    selector = {"matchLabels": _server(service)}
    assert deployment["selector"] == selector
    spread = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert [(item["topologyKey"], item["labelSelector"]) for item in spread] == [
        ("kubernetes.io/hostname", selector),
        ("topology.kubernetes.io/zone", selector),
    ]
    (budget,) = [
        item["spec"]
        for item in _of_kind(base, "PodDisruptionBudget")
        if item["metadata"]["name"] == service
    ]
    assert (budget["selector"], budget["maxUnavailable"]) == (selector, 1)


def test_no_replica_of_a_server_is_mistaken_for_a_migration(base: list[Document]) -> None:
    for job in _of_kind(base, "Job"):
        labels = job["spec"]["template"]["metadata"]["labels"]
        assert labels["app.kubernetes.io/component"] == "migration"
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["migrate"]
    assert {job["metadata"]["name"] for job in _of_kind(base, "Job")} == {
        "auth-migrate",
        "todo-api-migrate",
    }


def _of_kind(documents: list[Document], kind: str) -> list[Document]:
    return [item for item in documents if item["kind"] == kind]


def _server(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "server"}


def _ingress_rules(documents: list[Document], service: str, port: int) -> list[Document]:
    """Every rule, of whatever policy, that lets someone reach a port of a service."""
    labels = {**_server(service), "app.kubernetes.io/part-of": "mcp-pingone"}
    return [
        rule
        for policy in _of_kind(documents, "NetworkPolicy")
        if policy["spec"]["podSelector"].get("matchLabels", {}).items() <= labels.items()
        for rule in policy["spec"].get("ingress", [])
        if any(_opens(item, port) for item in rule["ports"])
    ]


def _opens(item: Document, port: int) -> bool:
    # A name or a range might be this port: then it must not pass for another one.
    return item["port"] == port or not isinstance(item["port"], int) or "endPort" in item
