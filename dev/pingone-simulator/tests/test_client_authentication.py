"""How the client proves itself at /token, /introspect and /revoke."""

import base64

import httpx
import pytest

from pingone_simulator.testing import RelyingParty, Start

ENDPOINTS = ["token", "introspect", "revoke"]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer something"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"nobody:nothing").decode()},
    ],
)
async def test_without_the_right_credentials_the_client_is_refused_with_401(
    party: RelyingParty, endpoint: str, headers: dict[str, str]
) -> None:
    response = await party.browser.post(
        f"{party.issuer}/{endpoint}", data={"token": "any"}, headers=headers
    )

    assert response.status_code == httpx.codes.UNAUTHORIZED
    assert response.headers["www-authenticate"].startswith("Basic ")
    assert response.json()["error"] == "invalid_client"
    assert response.headers["correlation-id"] in response.json()["error_description"]


async def test_id_and_secret_must_both_be_right(party: RelyingParty) -> None:
    client_id, client_secret = party.credentials

    for credentials in ((client_id, "wrong"), ("somebody-else", client_secret)):
        party.credentials = credentials
        assert (await party.refresh("any")).json()["error"] == "invalid_client"


async def test_client_secret_post_is_accepted(party: RelyingParty) -> None:
    client_id, client_secret = party.credentials
    form = {"token": "any", "client_id": client_id, "client_secret": client_secret}

    response = await party.browser.post(f"{party.issuer}/introspect", data=form)

    assert response.json() == {"active": False}


async def test_a_secret_with_reserved_characters_is_form_encoded_in_basic(start: Start) -> None:
    party = start(client_secret="50% : plus+space ü")
    encoded = "50%25+%3A+plus%2Bspace+%C3%BC"
    party.credentials = (party.settings.client_id, encoded)

    assert (await party.post("introspect", token="any")).json() == {"active": False}


async def test_two_ways_of_authentication_at_once_are_refused(party: RelyingParty) -> None:
    response = await party.refresh("any", client_secret=party.credentials[1])

    assert response.json()["error"] == "invalid_request"


async def test_a_client_id_that_contradicts_the_header_is_refused(party: RelyingParty) -> None:
    response = await party.refresh("any", client_id="somebody-else")

    assert response.json()["error"] == "invalid_request"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_a_body_that_is_no_form_is_an_invalid_request(
    party: RelyingParty, endpoint: str
) -> None:
    response = await party.browser.post(
        f"{party.issuer}/{endpoint}", json={"token": "any"}, auth=party.credentials
    )

    assert response.status_code == httpx.codes.BAD_REQUEST
    assert response.json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    "body", [b"token=%ff", b"\xff\xfe=1", b"&".join([b"a=b"] * 60), b"token=a&token=b", b""]
)
async def test_a_malformed_form_is_an_invalid_request(party: RelyingParty, body: bytes) -> None:
    response = await party.browser.post(
        f"{party.issuer}/introspect",
        content=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        auth=party.credentials,
    )

    assert response.status_code == httpx.codes.BAD_REQUEST
    assert response.json()["error"] == "invalid_request"


async def test_a_value_longer_than_any_token_is_an_invalid_request(party: RelyingParty) -> None:
    response = await party.post("introspect", token="x" * 20_000)

    assert response.json()["error"] == "invalid_request"
