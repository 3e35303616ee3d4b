"""`POST /token` with a code (OAuth 2.1 4.1.3): once, by its client, with the right proof."""

import asyncio
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from auth_back_channel import keep_token_answers, refusal
from auth_harness import CODE_VERIFIER, REDIRECT_URI, RESOURCE, AuthUnderTest

FORM = {"content-type": "application/x-www-form-urlencoded"}

# What is checked before the database is asked needs no second database.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.standard("RFC 6749 5.1 response", "RFC 6749 5.1 caching")
async def test_a_code_becomes_bearer_handles_that_no_cache_keeps(auth: AuthUnderTest) -> None:
    auth.anyone.headers["origin"] = "https://inspector.example"
    response = await auth.exchange(await auth.obtain_code())
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    handles = response.json()
    access, refresh = handles.pop("access_token"), handles.pop("refresh_token")
    assert handles == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "todo_api:read todo_api:write",
    }
    assert re.fullmatch(r"mcpat_[A-Za-z0-9_-]{43}[A-Za-z0-9]{6}", access)
    assert re.fullmatch(r"mcprt_[A-Za-z0-9_-]{43}[A-Za-z0-9]{6}", refresh)
    assert access[6:49] != refresh[6:49]


@ON_SQLITE
async def test_a_page_of_any_origin_may_ask_but_never_with_cookies(auth: AuthUnderTest) -> None:
    preflight = {
        "origin": "https://inspector.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,mcp-protocol-version",
    }
    for path in ("/token", "/register", "/revoke"):
        response = await auth.anyone.options(path, headers=preflight)
        assert response.status_code == 200, path
        assert response.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in response.headers
    refused = await auth.anyone.post("/token", headers={"origin": "https://inspector.example"})
    assert refused.status_code == 400
    assert refused.headers["access-control-allow-origin"] == "*"
    assert "www-authenticate" in refused.headers["access-control-expose-headers"].lower()


@pytest.mark.standard(
    "RFC 7636 4.4", "RFC 7636 4.6", "RFC 8252 8.5", "RFC 9700 4.5.3.1", "OAuth 2.1 4.1.3"
)
async def test_a_wrong_code_verifier_ends_the_code_and_the_grant(auth: AuthUnderTest) -> None:
    at_pingone = keep_token_answers(auth)
    code = await auth.obtain_code()
    assert refusal(await auth.exchange(code, code_verifier="w" * 43)) == "invalid_grant"
    assert refusal(await auth.exchange(code)) == "invalid_grant"
    await auth.settle()
    assert not auth.simulator.is_family_live(at_pingone[0]["refresh_token"])


@pytest.mark.standard(
    "RFC 7636 4.1", "RFC 7636 4.5", "RFC 9700 2.1.1 PKCE", "RFC 9700 4.8.2", "OAuth 2.1 4.1.3"
)
@ON_SQLITE
async def test_a_missing_or_malformed_code_verifier_is_refused_and_spends_nothing(
    auth: AuthUnderTest,
) -> None:
    code = await auth.obtain_code()
    for verifier in (None, "", "v" * 42, "v" * 129, "v" * 42 + "+", "v" * 42 + "é"):
        response = await auth.exchange(code, code_verifier=verifier)
        assert refusal(response) == "invalid_request", verifier
    assert (await auth.exchange(code)).status_code == 200


@pytest.mark.standard("RFC 6749 4.1.2 binding", "RFC 6749 4.1.3 checks", "OAuth 2.1 10.2")
async def test_another_redirect_uri_than_the_authorized_one_ends_the_grant(
    auth: AuthUnderTest,
) -> None:
    at_pingone = keep_token_answers(auth)
    code = await auth.obtain_code()
    # At /authorize any port of the loopback is as good; here it must be the one that was used.
    other_port = REDIRECT_URI.replace("33418", "33419")
    assert refusal(await auth.exchange(code, redirect_uri=other_port)) == "invalid_grant"
    assert refusal(await auth.exchange(code)) == "invalid_grant"
    await auth.settle()
    assert not auth.simulator.is_family_live(at_pingone[0]["refresh_token"])


@pytest.mark.standard("OAuth 2.1 10.2")
@ON_SQLITE
async def test_the_redirect_uri_may_be_left_out_as_pkce_made_it_redundant(
    auth: AuthUnderTest,
) -> None:
    # OAuth 2.1 10.2
    response = await auth.exchange(await auth.obtain_code(), redirect_uri=None)
    assert response.status_code == 200, response.text


@pytest.mark.standard(
    "RFC 6749 3.2.1", "RFC 6749 4.1.2 binding", "RFC 6749 4.1.3 checks", "OAuth 2.1 4.1.2"
)
async def test_another_clients_code_is_refused_and_stays_its_owners(auth: AuthUnderTest) -> None:
    thief = (await auth.register(client_name="A thief"))["client_id"]
    code = await auth.obtain_code()
    assert refusal(await auth.exchange(code, client_id=thief)) == "invalid_grant"
    handles = (await auth.exchange(code)).json()
    assert await auth.is_active(handles["access_token"])
    # Nor can a stranger who saw the code end the grant by replaying it.
    assert refusal(await auth.exchange(code, client_id=thief)) == "invalid_grant"
    assert await auth.is_active(handles["access_token"])


@pytest.mark.standard("RFC 6749 4.1.2 lifetime")
async def test_a_code_lives_for_sixty_seconds(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    early = await auth.obtain_code(browser)
    auth.clock.advance(seconds=59)
    assert (await auth.exchange(early)).status_code == 200
    late = await auth.obtain_code(browser)
    auth.clock.advance(seconds=60)
    assert refusal(await auth.exchange(late)) == "invalid_grant"


@pytest.mark.standard("RFC 6749 4.1.2 single use", "RFC 9700 4.2.4", "OAuth 2.1 4.1.2")
async def test_a_replayed_code_ends_everything_that_it_gave(auth: AuthUnderTest) -> None:
    # RFC 6749 4.1.2
    at_pingone = keep_token_answers(auth)
    code = await auth.obtain_code()
    handles = (await auth.exchange(code)).json()
    assert await auth.is_active(handles["access_token"])
    assert refusal(await auth.exchange(code)) == "invalid_grant"
    assert not await auth.is_active(handles["access_token"])
    assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"
    await auth.settle()
    assert not auth.simulator.is_family_live(at_pingone[0]["refresh_token"])
    assert not auth.simulator.is_access_token_live(at_pingone[0]["access_token"])


@pytest.mark.standard("RFC 6749 4.1.2 single use")
@ON_SQLITE
async def test_a_code_that_is_replayed_hours_later_still_ends_the_grant(
    auth: AuthUnderTest,
) -> None:
    code = await auth.obtain_code()
    handles = (await auth.exchange(code)).json()
    auth.clock.advance(hours=20)
    assert refusal(await auth.exchange(code)) == "invalid_grant"
    assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"


@pytest.mark.standard("RFC 6749 4.1.2 single use")
async def test_of_twenty_redemptions_at_once_one_wins_and_the_grant_ends(
    auth: AuthUnderTest,
) -> None:
    code = await auth.obtain_code()
    responses = await asyncio.gather(*(auth.exchange(code) for _ in range(20)))
    winners = [response.json() for response in responses if response.status_code == 200]
    losers = [response for response in responses if response.status_code != 200]
    assert len(winners) == 1
    assert {refusal(response) for response in losers} == {"invalid_grant"}
    assert not await auth.is_active(winners[0]["access_token"])
    assert refusal(await auth.refresh(winners[0]["refresh_token"])) == "invalid_grant"


@pytest.mark.standard("RFC 8707 2.2 code", "MCP 2026-07-28 authorization: resource")
@ON_SQLITE
async def test_the_resource_must_be_the_authorized_one_if_it_is_named(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    wrong: list[Any] = [
        "https://other.example/mcp",
        RESOURCE + "x",
        [RESOURCE, "https://o.example"],
    ]
    for resource in wrong:
        code = await auth.obtain_code(browser)
        assert refusal(await auth.exchange(code, resource=resource)) == "invalid_target", resource
        assert refusal(await auth.exchange(code)) == "invalid_grant", resource
    right: list[Any] = [None, RESOURCE, RESOURCE + "/", [RESOURCE, RESOURCE]]
    for resource in right:
        code = await auth.obtain_code(browser)
        assert (await auth.exchange(code, resource=resource)).status_code == 200, resource


@pytest.mark.standard("RFC 6749 5.2 unauthorized_client")
@ON_SQLITE
async def test_a_client_without_the_refresh_grant_gets_no_refresh_handle(
    auth: AuthUnderTest,
) -> None:
    other = await auth.obtain_handles()
    auth.client_id = (await auth.register(grant_types=["authorization_code"]))["client_id"]
    handles = await auth.obtain_handles()
    assert set(handles) == {"access_token", "token_type", "expires_in", "scope"}
    assert await auth.is_active(handles["access_token"])
    response = await auth.refresh(other["refresh_token"])
    assert refusal(response) == "unauthorized_client"


@pytest.mark.standard("RFC 6749 5.2 unsupported_grant_type", "OAuth 2.1 3.2.4")
@ON_SQLITE
async def test_unknown_grant_types_are_unsupported(auth: AuthUnderTest) -> None:
    for grant_type in ("password", "client_credentials", "implicit", "Authorization_Code"):
        response = await auth.token(grant_type=grant_type, code="a-code")
        assert refusal(response) == "unsupported_grant_type", grant_type
    assert refusal(await auth.token(code="a-code")) == "invalid_request"


@pytest.mark.standard("RFC 6749 2.3.1 body", "RFC 6749 3.2", "RFC 6749 5.2 invalid_request")
@ON_SQLITE
async def test_requests_that_are_not_one_clear_form_are_refused_and_spend_nothing(
    auth: AuthUnderTest,
) -> None:
    code = await auth.obtain_code()
    right = urlencode(
        {
            "grant_type": "authorization_code",
            "client_id": auth.client_id,
            "code": code,
            "code_verifier": CODE_VERIFIER,
        }
    )
    bodies = {
        "a repeated code": f"{right}&code={code}",
        "a repeated client_id": f"{right}&client_id={auth.client_id}",
        "a repeated unknown parameter": f"{right}&x=1&x=2",
        "NUL in a value": f"{right}&state=%00",
        "NUL in a name": f"{right}&%00=1",
        "bytes that are not UTF-8": f"{right}&state=%ff",
        "a surrogate in UTF-8": f"{right}&state=%ed%a0%80",
        "raw bytes beyond ASCII": f"{right}&state=é",
        "a parameter without a value": f"{right}&state",
        "51 parameters": right + "".join(f"&p{number}=1" for number in range(47)),
        "more than 64 KiB": f"{right}&state={'a' * 65536}",
    }
    for name, body in bodies.items():
        response = await auth.anyone.post("/token", content=body.encode(), headers=FORM)
        assert refusal(response) == "invalid_request", name
    for content_type in ("application/json", "multipart/form-data", "text/plain", ""):
        response = await auth.anyone.post(
            "/token", content=right.encode(), headers={"content-type": content_type}
        )
        assert refusal(response) == "invalid_request", content_type
    in_the_query = await auth.anyone.post(f"/token?{right}", content=b"", headers=FORM)
    assert refusal(in_the_query, 401) == "invalid_client"
    with_charset = {"content-type": "Application/X-WWW-Form-Urlencoded; charset=UTF-8"}
    response = await auth.anyone.post("/token", content=right.encode(), headers=with_charset)
    assert response.status_code == 200, response.text


@pytest.mark.standard("RFC 6749 4.1.3 checks", "RFC 6749 5.2 invalid_grant")
@ON_SQLITE
async def test_a_code_that_was_never_issued_is_an_invalid_grant(auth: AuthUnderTest) -> None:
    for code in ("x", "é", "'; DROP TABLE codes; --", "a" * 43, "a" * 50_000):
        assert refusal(await auth.exchange(code)) == "invalid_grant", code
    assert refusal(await auth.exchange("")) == "invalid_request"
