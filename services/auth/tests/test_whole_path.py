"""The happy path, from /authorize to an introspected handle."""

import pytest
from auth_harness import API, ISSUER, RESOURCE, AuthUnderTest, redirect_query


@pytest.mark.standard("RFC 8252 6", "RFC 9207 2 success", "OIDC Core 3.1.3.1")
async def test_a_person_consents_signs_on_and_the_client_gets_working_handles(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    assert consent.status_code == 200, consent.text
    assert "A test client" in consent.text
    to_pingone = await auth.decide(browser, consent)
    back = await auth.back(browser, await auth.sign_on(browser, to_pingone))
    answer = redirect_query(back)
    assert answer["state"] == "the-clients-state"
    assert answer["iss"] == ISSUER
    response = await auth.exchange(answer["code"])
    assert response.status_code == 200, response.text
    handles = response.json()
    assert handles["access_token"].startswith("mcpat_")
    assert handles["refresh_token"].startswith("mcprt_")
    assert handles["token_type"] == "Bearer"
    assert handles["expires_in"] == 3600
    active = (await auth.introspect(handles["access_token"])).json()
    assert active["active"] is True
    assert active["aud"] == RESOURCE
    assert active["client_id"] == auth.client_id
    assert active["scope"] == "todo_api:read todo_api:write"
    assert active["downstream_token"]["audience"] == API
