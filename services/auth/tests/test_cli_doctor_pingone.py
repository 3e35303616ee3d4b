"""`auth doctor` and PingOne: whatever it publishes or answers is told as what to change."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from auth_doctor import SIMULATOR, Patient

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

REGISTER = "register exactly http://localhost:8080/callback"
OVERRIDES = {
    "PINGONE_AUTHORIZATION_ENDPOINT": f"{SIMULATOR.issuer}/authorize",
    "PINGONE_TOKEN_ENDPOINT": f"{SIMULATOR.issuer}/token",
    "PINGONE_JWKS_URI": f"{SIMULATOR.issuer}/jwks",
}


@pytest.fixture
def patient(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Patient:
    return Patient(database_url, monkeypatch)


PUBLISHED: list[tuple[dict[str, Any], str, str, str]] = [
    ({"issuer": "https://x.y/as"}, "PingOne discovery", "problem", "'https://x.y/as'"),
    ({"token_endpoint": None}, "PingOne discovery", "problem", "lacks token_endpoint"),
    ({"revocation_endpoint": None}, "PingOne discovery", "warning", "lacks revocation_endpoint"),
    ({"jwks_uri": None}, "PingOne keys", "problem", "not known"),
    ({"jwks_uri": 17}, "PingOne keys", "problem", "not known"),
    ({"jwks_uri": 17}, "PingOne discovery", "problem", "jwks_uri is neither https"),
    ({"token_endpoint": "http://x.y/"}, "PingOne discovery", "problem", "token_endpoint is nei"),
    ({"code_challenge_methods_supported": ["plain"]}, "PKCE", "problem", "does not know S256"),
    ({"code_challenge_methods_supported": None}, "PKCE", "warning", "does not say"),
    ({"code_challenge_methods_supported": "S256"}, "PKCE", "warning", "does not say"),
    (
        {"token_endpoint_auth_methods_supported": ["client_secret_post"]},
        "client authentication",
        "problem",
        "client_secret_basic is not supported",
    ),
    (
        {"scopes_supported": ["openid", "todo_api:read"]},
        "published scopes",
        "warning",
        "does not list todo_api:write",
    ),
    ({"scopes_supported": [["todo_api:read"], 7]}, "published scopes", "ok", "does not list"),
]


@pytest.mark.parametrize(("changes", "check", "outcome", "words"), PUBLISHED)
def test_what_the_discovery_document_says_is_examined(
    patient: Patient, changes: dict[str, Any], check: str, outcome: str, words: str
) -> None:
    patient.pingone.publish(**changes)
    finding = patient.examine()[check]
    assert finding["outcome"] == outcome
    assert words in finding["found"]


@pytest.mark.parametrize(
    ("status", "body"), [(404, ""), (500, "oops"), (200, "[]"), (200, "x"), (200, "9" * 600_000)]
)
def test_without_a_discovery_document_the_issuer_is_to_be_checked(
    patient: Patient, status: int, body: str
) -> None:
    patient.pingone.answer("/openid-configuration", status, body)
    finding = patient.examine()["PingOne discovery"]
    assert finding["outcome"] == "problem"
    assert "check PINGONE_ISSUER" in finding["advice"]


def test_with_all_endpoints_set_discovery_may_fail(patient: Patient) -> None:
    patient.pingone.answer("/openid-configuration", 404)
    findings = patient.examine(**OVERRIDES)
    assert findings["PingOne discovery"]["outcome"] == "warning"
    assert {findings[name]["outcome"] for name in ("PingOne keys", "client credentials")} == {"ok"}


@pytest.mark.parametrize(
    "keys",
    [
        [],
        None,
        ["x"],
        [{"kty": "RSA", "use": "enc"}],
        [{"kty": "RSA", "alg": "PS256"}],
        [{"kty": "EC", "crv": "P-521"}],
        [{"kty": "oct"}],
    ],
)
def test_a_key_set_that_verifies_nothing_is_a_problem(patient: Patient, keys: Any) -> None:
    patient.pingone.answer("/jwks", 200, {"keys": keys})
    finding = patient.examine()["PingOne keys"]
    assert finding["outcome"] == "problem"
    assert "none of which verifies" in finding["found"]


@pytest.mark.parametrize(
    ("ahead_by", "outcome", "words"),
    [
        (timedelta(seconds=-3), "ok", "within 5 s"),
        (timedelta(seconds=20), "warning", "s behind PingOne's"),
        (timedelta(seconds=-20), "warning", "s ahead of PingOne's"),
        (timedelta(seconds=90), "problem", "s behind PingOne's"),
        (timedelta(hours=-2), "problem", "s ahead of PingOne's"),
        (None, "warning", "did not tell the time"),
    ],
)
def test_the_clocks_are_compared(
    patient: Patient, ahead_by: timedelta | None, outcome: str, words: str
) -> None:
    patient.pingone.ahead_by = ahead_by
    finding = patient.examine()["clock"]
    assert finding["outcome"] == outcome
    assert words in finding["found"]


def test_a_date_that_is_none_is_no_clock(patient: Patient) -> None:
    patient.pingone.ahead_by = None
    patient.pingone.answer("/jwks", 200, {"keys": []}, date="yesterday")
    assert patient.examine()["clock"]["outcome"] == "warning"


AUTHORIZE = [
    # PingOne's page, and its page by a redirect.
    (400, {}, "<h1>Redirect URI mismatch</h1>", "problem", "does not know it"),
    (
        302,
        {
            "location": "https://apps.pingone.eu/error?error=x&error_description=Redirect+URI+mismatch"
        },
        "",
        "problem",
        "does not know it",
    ),
    (400, {}, '{"error": "the application is disabled"}', "problem", "not know the client"),
    (503, {}, "", "problem", "answers 503"),
    (
        302,
        {"location": "https://apps.pingone.eu/signon?redirect_uri=http%3A%2F%2Flocalhost"},
        "",
        "warning",
        "a page of its own",
    ),
]


@pytest.mark.parametrize(("status", "headers", "page", "outcome", "words"), AUTHORIZE)
def test_an_answer_that_does_not_come_back_to_us_is_told_apart(
    patient: Patient,
    status: int,
    headers: dict[str, str],
    page: str,
    outcome: str,
    words: str,
) -> None:
    patient.pingone.answer("/authorize", status, page, **headers)
    findings = patient.examine()
    assert findings["redirect URI"]["outcome"] == outcome
    assert words in findings["redirect URI"]["found"]
    # A scope can be tried only where the answer comes back to us.
    assert "scope todo_api:read" not in findings


@pytest.mark.parametrize("elsewhere", ["http://localhost:8080/callback2", "http://evil.example"])
def test_an_error_that_is_sent_to_another_address_does_not_count_as_ours(
    patient: Patient, elsewhere: str
) -> None:
    location = f"{elsewhere}?error=login_required"
    patient.pingone.answer("/authorize", 302, location=location)
    assert patient.examine()["redirect URI"]["outcome"] != "ok"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, {"error": "unauthorized_client"}, "answers unauthorized_client"),
        (429, "", "rate limited"),
        (500, "", "answered 500"),
        (200, "<html>", "not a JSON object"),
        (200, {"access_token": "x", "token_type": "Bearer", "expires_in": 9}, "took a code"),
    ],
)
def test_an_answer_of_the_token_endpoint_but_invalid_grant_is_a_problem(
    patient: Patient, status: int, body: object, words: str
) -> None:
    patient.pingone.answer("/token", status, body)
    finding = patient.examine()["client credentials"]
    assert finding["outcome"] == "problem"
    assert words in finding["found"]


def test_pingone_that_does_not_answer_is_a_problem_and_no_crash(patient: Patient) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectTimeout("too slow", request=request)

    patient.pingone.fail_with = refuse
    findings = patient.examine(**OVERRIDES)
    for check in ("PingOne keys", "redirect URI", "client credentials"):
        assert findings[check]["outcome"] == "problem"
    assert REGISTER in findings["redirect URI"]["advice"]
    assert findings["database"]["outcome"] == "ok"
