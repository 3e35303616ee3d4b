"""Small points of the standards that no other test of auth is about; see docs/standards.md."""

import pytest
from auth_harness import REDIRECT_URI, AuthUnderTest

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.standard("RFC 7591 2 unknown metadata")
@ON_SQLITE
async def test_metadata_that_means_nothing_here_is_ignored_and_not_returned(
    auth: AuthUnderTest,
) -> None:
    ignored = {
        "logo_uri": "https://client.example/logo.png",
        "contacts": ["admin@client.example"],
        "tos_uri": "https://client.example/terms",
        "policy_uri": "https://client.example/privacy",
        "jwks_uri": "https://client.example/jwks",
        "software_id": "4NRB1-0XZABZI9E6-5SM3R",
        "software_version": "2.1",
        "software_statement": "eyJhbGciOiJub25lIn0.e30.",
        "client_name#de": "Ein Client",
        "an_extension": {"deep": [1, 2]},
    }
    document = {"redirect_uris": [REDIRECT_URI], "client_name": "A client", **ignored}
    response = await auth.anyone.post("/register", json=document)
    assert response.status_code == 201, response.text
    registered = response.json()
    assert registered["client_name"] == "A client"
    assert not registered.keys() & ignored.keys()


@pytest.mark.standard("RFC 9700 4.12", "OAuth 2.1 7.5.4")
@ON_SQLITE
async def test_every_redirect_of_a_login_is_303(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    refused = await auth.authorize(browser, scope="nonsense")
    denied = await auth.decide(browser, await auth.authorize(browser), "deny")
    to_pingone = await auth.decide(browser, await auth.authorize(browser))
    to_client = await auth.back(browser, await auth.sign_on(browser, to_pingone))
    silently_to_pingone = await auth.authorize(browser)
    for response in (refused, denied, to_pingone, to_client, silently_to_pingone):
        assert response.status_code == 303
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "no-referrer"
