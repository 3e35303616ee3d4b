"""`auth doctor` with several MCP servers: each one's API and scopes at PingOne."""

import json
from typing import Any

import pytest
from auth_doctor import Patient
from two_resources import ENTRIES, OTHER_API, OTHER_CLIENT

NO_SINGLE = dict.fromkeys(
    ("API_IDENTIFIER", "MCP_RESOURCE", "INTROSPECTION_CLIENT_ID", "INTROSPECTION_CLIENT_SECRET")
)


# Which kind of database it is makes no difference to PingOne.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def patient(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Patient:
    return Patient(database_url, monkeypatch)


def examine(patient: Patient, **changes: Any) -> dict[str, dict[str, str]]:
    """What the doctor finds when the second of two entries is changed."""
    entries = [ENTRIES[0], ENTRIES[1] | changes]
    shown = patient.run(AUTH_RESOURCES=json.dumps(entries), **NO_SINGLE)
    assert OTHER_CLIENT[1] not in shown.output
    return patient.examine(AUTH_RESOURCES=json.dumps(entries), **NO_SINGLE)


def problems(findings: dict[str, dict[str, str]]) -> set[str]:
    return {check for check, finding in findings.items() if finding["outcome"] == "problem"}


def test_every_server_is_examined_by_its_name(patient: Patient) -> None:
    findings = examine(patient)
    assert not problems(findings)
    assert {check for check in findings if check.startswith("scope ")} == {
        "scope todo_api:read (http://localhost:8081/mcp)",
        "scope todo_api:write (http://localhost:8081/mcp)",
        "scope tasks.read (Tasks)",
        "scope tasks.write (Tasks)",
    }
    assert "redirect URI" in findings


def test_an_api_that_pingone_does_not_know_is_named(patient: Patient) -> None:
    findings = examine(patient, audience="https://unknown.example.com")
    assert "sign-in request (Tasks)" in problems(findings)
    assert findings["scope todo_api:read (http://localhost:8081/mcp)"]["outcome"] == "ok"


@pytest.mark.parametrize("scope", ["tasks.x", "todo_api:read"])
def test_a_scope_that_is_none_of_the_servers_own_api_is_named(patient: Patient, scope: str) -> None:
    findings = examine(patient, scopes={"tasks:read": "tasks.read", "tasks:more": scope})
    finding = findings[f"scope {scope} (Tasks)"]
    assert finding["outcome"] == "problem"
    assert OTHER_API in finding["advice"]
    assert findings["scope tasks.read (Tasks)"]["outcome"] == "ok"


def test_a_list_that_is_refused_is_told_by_the_place(patient: Patient) -> None:
    finding = examine(patient, audience="")["configuration"]
    assert "AUTH_RESOURCES: resource 2: audience" in finding["found"]
