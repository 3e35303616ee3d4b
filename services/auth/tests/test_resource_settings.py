"""AUTH_RESOURCES: what each server is, and every slip refused by its place, without its values."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from auth_harness import API, INTROSPECTION_CLIENT, RESOURCE
from two_resources import ENTRIES, OTHER_API, OTHER_CLIENT, OTHER_NAME, OTHER_RESOURCE

from auth_server.domain.handles import digest
from auth_server.settings import AuthSettings
from service_kit.settings import InvalidSettings, read_settings

COMMON = {
    "AUTH_PUBLIC_URL": "http://localhost:8080",
    "AUTH_ENCRYPTION_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "COOKIE_ENCRYPTION_KEY": "4d1f9a7be2c84f0ab6d5e3c2910f7a68",
    "PINGONE_ISSUER": "https://auth.pingone.eu/9b3a7c1e-4d52-4f86-a0be-6c1d2e8f7a45/as",
    "MCP_SERVER_CLIENT_ID": "c7d1e0b2-3f64-4a0b-8f5d-1a9e5b7c2d38",
    "MCP_SERVER_CLIENT_SECRET": "4d1f9a7be2c84f0ab6d5e3c2910f7a68",
}
SINGLE = {
    "API_IDENTIFIER": API,
    "MCP_RESOURCE": RESOURCE,
    "INTROSPECTION_CLIENT_ID": INTROSPECTION_CLIENT[0],
    "INTROSPECTION_CLIENT_SECRET": INTROSPECTION_CLIENT[1],
}
RANDOM_SECRET = "q8Jw0rB2mXv5kT7nZ3cY"
PRODUCTION = "https://auth.acme.com"

Read = Callable[..., AuthSettings]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads the settings from an environment with these variables about resources."""
    for name in AuthSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def read(**variables: str) -> AuthSettings:
        for name, value in (COMMON | variables).items():
            monkeypatch.setenv(name, value)
        return read_settings(AuthSettings)

    return read


def changed(position: int = 1, **changes: Any) -> str:
    """The list with one entry changed; None takes a member out."""
    entries = [dict(entry) for entry in ENTRIES]
    entry = entries[position - 1] | changes
    entries[position - 1] = {name: value for name, value in entry.items() if value is not None}
    return json.dumps(entries)


def refused(read: Read, **variables: str) -> str:
    """Why the environment is refused, in a text without any secret of it."""
    with pytest.raises(InvalidSettings) as refusal:
        read(**variables)
    text = str(refusal.value)
    for secret in (INTROSPECTION_CLIENT[1], OTHER_CLIENT[1], RANDOM_SECRET):
        assert secret not in text
    return text


def test_a_list_describes_every_server(read: Read) -> None:
    first, second = read(AUTH_RESOURCES=json.dumps(ENTRIES)).protected_resources.all
    assert (first.identifier, first.name, first.upstream_audience) == (RESOURCE, None, API)
    assert first.upstream_scopes == {
        "todo_api:read": {"todo_api:read"},
        "todo_api:write": {"todo_api:write"},
    }
    assert (second.identifier, second.name) == (OTHER_RESOURCE, OTHER_NAME)
    assert second.upstream_audience == OTHER_API
    assert second.upstream_scopes == {
        "tasks:read": {"tasks.read"},
        "tasks:write": {"tasks.read", "tasks.write"},
    }
    assert (first.scope_descriptions, second.scope_descriptions) == (
        {},
        {"tasks:read": "See your tasks"},
    )
    assert second.introspection_client_id == OTHER_CLIENT[0]
    assert second.introspection_client_secret_digest == digest(OTHER_CLIENT[1])


def test_of_a_secret_in_the_list_only_a_digest_is_kept(read: Read) -> None:
    settings = read(AUTH_RESOURCES=json.dumps(ENTRIES))
    resources = settings.protected_resources.all
    for text in (repr(settings), repr(resources), str(vars(settings))):
        assert OTHER_CLIENT[1] not in text


def test_a_file_can_hold_the_list_and_others_its_secrets(read: Read, tmp_path: Path) -> None:
    secret_file, list_file = tmp_path / "secret", tmp_path / "resources.json"
    secret_file.write_text(f"{RANDOM_SECRET}\n")
    list_file.write_text(
        changed(
            2,
            introspection_client_secret=None,
            introspection_client_secret_file=str(secret_file),
        )
    )
    second = read(AUTH_RESOURCES_FILE=str(list_file)).protected_resources.all[1]
    assert second.introspection_client_secret_digest == digest(RANDOM_SECRET)


def test_without_a_list_five_variables_describe_the_only_resource(read: Read) -> None:
    settings = read(**SINGLE, MCP_SCOPES="read write=todo.put admin=admin read")
    (only,) = settings.protected_resources.all
    assert (only.identifier, only.name, only.upstream_audience) == (RESOURCE, None, API)
    assert only.upstream_scopes == {"read": {"read"}, "write": {"todo.put"}, "admin": {"admin"}}


@pytest.mark.parametrize("value", ["", " ", "a  b", "a=b a=c", "a=b a", "=a", "a=", 'a="b"', "a é"])
def test_a_malformed_list_of_scopes_is_refused(read: Read, value: str) -> None:
    assert "MCP_SCOPES" in refused(read, **SINGLE, MCP_SCOPES=value)


def test_to_stay_connected_is_no_permission_of_a_resource(read: Read) -> None:
    assert "offline_access" in refused(read, **SINGLE, MCP_SCOPES="read offline_access")
    text = refused(read, AUTH_RESOURCES=changed(1, scopes={"read": "offline_access"}))
    assert "resource 1" in text


@pytest.mark.parametrize("variable", [*SINGLE, "MCP_SCOPES"])
def test_beside_a_list_no_variable_of_a_single_resource_is_accepted(
    read: Read, variable: str
) -> None:
    text = refused(read, AUTH_RESOURCES=json.dumps(ENTRIES), **{variable: RESOURCE})
    assert f"{variable}: AUTH_RESOURCES describes every MCP server" in text


def test_an_empty_variable_beside_a_list_is_no_variable(read: Read) -> None:
    empty = dict.fromkeys([*SINGLE, "MCP_SCOPES", "AUTH_RESOURCES_FILE"], "")
    settings = read(AUTH_RESOURCES=json.dumps(ENTRIES), **empty)
    assert len(settings.protected_resources.all) == 2


@pytest.mark.parametrize("variable", SINGLE)
def test_without_a_list_each_variable_must_be_set(read: Read, variable: str) -> None:
    assert f"{variable}: must be set" in refused(read, **(SINGLE | {variable: ""}))


def test_a_wrong_list_is_the_only_complaint(read: Read) -> None:
    assert "MCP_RESOURCE" not in refused(read, AUTH_RESOURCES="[]")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "null",
        "nonsense",
        '"[]"',
        "[" * 100_000,
        json.dumps(ENTRIES)[:-1],
        json.dumps(ENTRIES[0]),
        # Of two members of one name, which one counts?
        changed(1).replace('"audience"', '"identifier"', 1),
    ],
    ids=range(9),
)
def test_what_is_no_list_of_resources_is_refused(read: Read, text: str) -> None:
    assert "AUTH_RESOURCES:" in refused(read, AUTH_RESOURCES=text)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"secret": RANDOM_SECRET}, "unknown member"),
        ({"identifier": None}, "identifier must be set"),
        ({"identifier": ["https://mcp.example/mcp"]}, "identifier must be set"),
        ({"identifier": "mcp.example/mcp"}, "identifier"),
        ({"identifier": "http://mcp.example/mcp"}, "identifier"),
        ({"identifier": "https://mcp.example/mcp/"}, "identifier"),
        ({"identifier": "https://mcp.example/mcp#a"}, "identifier"),
        ({"identifier": "https://mcp.example:443/mcp"}, "identifier"),
        ({"identifier": "https://MCP.example/mcp"}, "identifier"),
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": 7}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a" * 81}, "name"),
        ({"audience": None}, "audience"),
        ({"audience": "an api"}, "audience"),
        ({"audience": "a" * 256}, "audience"),
        ({"scopes": None}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": {}}, "scopes"),
        ({"scopes": "read write"}, "scopes"),
        ({"scopes": ["read write"]}, "scopes"),
        ({"scopes": ["read", 7]}, "scopes"),
        ({"scopes": {"read": []}}, "scopes"),
        ({"scopes": {"read": ""}}, "scope"),
        ({"scopes": {"": "read"}}, "scope"),
        ({"scopes": {"read": {"a": "b"}}}, "scopes"),
        ({"scopes": {"read": ["a b"]}}, "scopes"),
        ({"scope_descriptions": []}, "scope_descriptions"),
        ({"scope_descriptions": {"todo_api:reed": "See"}}, "scope_descriptions"),
        ({"scope_descriptions": {"todo_api:read": 7}}, "scope_descriptions"),
        ({"scope_descriptions": {"todo_api:read": " "}}, "scope_descriptions"),
        ({"scope_descriptions": {"todo_api:read": "a\nb"}}, "scope_descriptions"),
        ({"scope_descriptions": {"todo_api:read": "a" * 201}}, "scope_descriptions"),
        ({"introspection_client_id": ""}, "introspection_client_id"),
        ({"introspection_client_secret": None}, "introspection_client_secret"),
        ({"introspection_client_secret": ""}, "introspection_client_secret"),
        ({"introspection_client_secret": [RANDOM_SECRET]}, "introspection_client_secret"),
        ({"introspection_client_secret": f"{RANDOM_SECRET}\n"}, "introspection_client_secret"),
        ({"introspection_client_secret_file": "/nowhere"}, "introspection_client_secret_file"),
    ],
    ids=str,
)
def test_a_slip_is_refused_by_the_place_of_the_entry_and_the_member(
    read: Read, changes: dict[str, Any], named: str
) -> None:
    text = refused(read, AUTH_RESOURCES=changed(2, **changes))
    assert "AUTH_RESOURCES: resource 2: " in text
    assert named in text


def test_an_entry_is_an_object(read: Read) -> None:
    assert "resource 2: must be" in refused(read, AUTH_RESOURCES=json.dumps([ENTRIES[0], "x"]))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"identifier": RESOURCE}, "resources 1 and 2 have the same identifier"),
        ({"introspection_client_id": "mcp"}, "have the same introspection_client_id"),
        ({"introspection_client_secret": INTROSPECTION_CLIENT[1]}, "that of resource 1"),
    ],
)
def test_two_servers_that_could_be_taken_for_one_another_are_refused(
    read: Read, changes: dict[str, str], complaint: str
) -> None:
    assert complaint in refused(read, AUTH_RESOURCES=changed(2, **changes))


def test_outside_development_a_placeholder_is_refused_by_its_place(read: Read) -> None:
    listed = changed(1, introspection_client_secret=RANDOM_SECRET)
    listed = listed.replace(OTHER_CLIENT[1], "changeme-changeme-2")
    text = refused(read, AUTH_PUBLIC_URL=PRODUCTION, AUTH_RESOURCES=listed)
    assert "AUTH_RESOURCES: resource 2: introspection_client_secret is a placeholder" in text
    assert "changeme-changeme-2" not in text
    listed = listed.replace("changeme-changeme-2", RANDOM_SECRET[::-1])
    assert not read(AUTH_PUBLIC_URL=PRODUCTION, AUTH_RESOURCES=listed).is_development


@pytest.mark.parametrize("content", [b"", b"\xff", b"x" * 70_000])
def test_a_file_that_cannot_be_a_list_is_refused_by_its_name(
    read: Read, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "resources.json"
    file.write_bytes(content)
    text = refused(read, AUTH_RESOURCES_FILE=str(file))
    assert "AUTH_RESOURCES: " in text
    assert str(file) in text


def test_the_list_is_given_once(read: Read, tmp_path: Path) -> None:
    text = refused(
        read, AUTH_RESOURCES=json.dumps(ENTRIES), AUTH_RESOURCES_FILE=str(tmp_path / "list")
    )
    assert "AUTH_RESOURCES_FILE is set as well" in text
