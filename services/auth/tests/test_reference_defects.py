"""What the reference implementation (Ping Identity's Cloudflare Workers sample) got wrong.

Each test is named after what must not happen. docs/threat-model.md lists all defects; the others
are where their subject is.
"""

import base64
import json
from typing import Any

import pytest
from auth_answers import (
    answer_at_client,
    code_at_client,
    error_at_client,
    host_of,
    outcome_page,
    problem_page,
)
from auth_back_channel import downstream, keep_token_answers
from auth_harness import AuthUnderTest, form_of, redirect_query

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ALL_SCOPES = "todo_api:read todo_api:write"


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * 3))
    return claims


async def test_the_consent_form_cannot_change_what_was_asked_for(auth: AuthUnderTest) -> None:
    """Defect 5: the whole request was in the form, unsigned; even response_type=token."""
    browser = auth.new_browser()
    page = await auth.authorize(browser, scope="todo_api:read")
    tampered = {
        "client_id": "another",
        "redirect_uri": "https://evil.example/callback",
        "scope": ALL_SCOPES,
        "resource": "https://evil.example/mcp",
        "state": "of-the-attacker",
        "response_type": "token",
        "code_challenge": "A" * 43,
        "code_challenge_method": "plain",
    }
    assert not tampered.keys() & form_of(page).keys()
    to_pingone = await browser.post(
        "/consent", data={**tampered, **form_of(page), "decision": "allow"}
    )
    asked = redirect_query(to_pingone)
    assert "todo_api:write" not in asked["scope"].split()
    answer = await auth.back(browser, await auth.sign_on(browser, to_pingone))
    # To the client that asked, with its state, for its verifier; a code and nothing else.
    assert set(answer_at_client(answer)) == {"code", "state", "iss"}
    handles = (await auth.exchange(code_at_client(answer))).json()
    assert handles["scope"] == "todo_api:read"
    assert (await auth.introspect(handles["access_token"])).json()["client_id"] == auth.client_id


async def test_a_remembered_consent_does_not_let_another_address_have_the_code(
    auth: AuthUnderTest,
) -> None:
    """Defect 6: consent was remembered by client_id alone, for any redirect URI and scope."""
    browser = auth.new_browser()
    uris = ["https://first.example/cb", "https://second.example/cb"]
    auth.client_id = (await auth.register(redirect_uris=uris))["client_id"]
    page = await auth.authorize(browser, redirect_uri=uris[0], scope="todo_api:read")
    returned = await auth.sign_on(browser, await auth.decide(browser, page))
    code_at_client(await auth.back(browser, returned), redirect_uri=uris[0])
    again = {"redirect_uri": uris[0], "scope": "todo_api:read"}
    assert host_of(await auth.authorize(browser, **again)) == "localhost:9080"
    for more in ({"redirect_uri": uris[1]}, {"scope": ALL_SCOPES}):
        asked = await auth.authorize(browser, **(again | more))
        assert asked.status_code == 200
        assert "Allow this app to act for you?" in asked.text


async def test_consent_is_not_remembered_before_the_sign_on_succeeds(auth: AuthUnderTest) -> None:
    """Defect 6: the cookie was set on approval, whoever signed on afterwards, or nobody."""
    browser = auth.new_browser()
    await auth.decide(browser, await auth.authorize(browser))
    assert (await auth.authorize(browser)).status_code == 200


async def test_a_client_that_asked_to_read_gets_no_token_that_writes(auth: AuthUnderTest) -> None:
    """Defect 7: PingOne was always asked for every scope, and the page named none."""
    at_pingone = keep_token_answers(auth)
    browser = auth.new_browser()
    page = await auth.authorize(browser, scope="todo_api:read")
    assert "todo_api:read" in page.text
    assert "todo_api:write" not in page.text
    returned = await auth.sign_on(browser, await auth.decide(browser, page))
    handles = (await auth.exchange(code_at_client(await auth.back(browser, returned)))).json()
    assert handles["scope"] == "todo_api:read"
    token = (await downstream(auth, handles["access_token"]))["access_token"]
    assert token == at_pingone[0]["access_token"]
    assert "todo_api:write" not in claims_of(token)["scope"].split()


async def test_a_refusal_does_not_leave_the_client_waiting(auth: AuthUnderTest) -> None:
    """Defect 8: Cancel went back in the history, and an error of PingOne ended in a 500."""
    browser = auth.new_browser()
    denied = await auth.decide(browser, await auth.authorize(browser), "deny")
    assert error_at_client(denied) == "access_denied"
    to_pingone = await auth.decide(browser, await auth.authorize(browser))
    state = redirect_query(to_pingone)["state"]
    refused = {"state": state, "error": "access_denied", "error_description": "<b>no</b>"}
    assert error_at_client(await browser.get("/callback", params=refused)) == "access_denied"


async def test_a_consent_form_is_one_consent_and_not_one_to_another_request(
    auth: AuthUnderTest,
) -> None:
    """Defect 9: the token against request forgery outlived its use, and fitted any request."""
    browser = auth.new_browser()
    page, other_page = await auth.authorize(browser), await auth.authorize(browser)
    for form in (
        {**form_of(other_page), "sealed": form_of(page)["sealed"]},
        {**form_of(page), "form_id": form_of(other_page)["form_id"]},
    ):
        problem_page(await browser.post("/consent", data={**form, "decision": "allow"}))
    to_pingone = await auth.decide(browser, page)
    assert host_of(to_pingone) == "localhost:9080"
    code_at_client(await auth.back(browser, await auth.sign_on(browser, to_pingone)))
    # It has led to a code: it leads to nothing any more, not even to PingOne.
    for decision in ("allow", "deny"):
        assert "The app is connected" in outcome_page(await auth.decide(browser, page, decision))
