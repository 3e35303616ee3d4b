"""`GET /authorize`: what must not be answered by a redirect ends on a page."""

from typing import Any
from urllib.parse import urlencode

import pytest
from auth_answers import PAGE_HEADERS, count_rows, problem_page
from auth_harness import CODE_CHALLENGE, REDIRECT_URI, AuthUnderTest

from auth_server.storage.tables import authorizations, clients

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_ONE_SERVER = pytest.mark.asyncio(loop_scope="module")


async def navigate(auth: AuthUnderTest, query: str) -> str:
    """Send a browser to /authorize with this very query; the answer must be a page, status 400."""
    return problem_page(await auth.new_browser().get(f"/authorize?{query}"))


def query_of(auth: AuthUnderTest, **changes: str) -> str:
    parameters = {
        "response_type": "code",
        "client_id": auth.client_id,
        "redirect_uri": REDIRECT_URI,
        "code_challenge": CODE_CHALLENGE,
        "code_challenge_method": "S256",
    }
    return urlencode(parameters | changes)


@pytest.mark.standard("RFC 6749 3.1.2.4", "RFC 6749 4.1.2.1 no redirect")
@ON_ONE_SERVER
@pytest.mark.parametrize(
    "client_id", ["unknown", "", None, ["a", "b"], "' OR 1=1 --", "é" * 300], ids=str
)
async def test_an_unknown_client_gets_no_redirect(
    shared: AuthUnderTest, client_id: str | list[str] | None
) -> None:
    response = await shared.authorize(shared.new_browser(), client_id=client_id)
    page = problem_page(response, status=401)
    assert "This application is not known here" in page
    assert "set-cookie" not in response.headers


@pytest.mark.standard("RFC 6749 3.1 repeated parameters")
@ON_ONE_SERVER
async def test_a_client_that_is_named_twice_gets_no_redirect(shared: AuthUnderTest) -> None:
    response = await shared.authorize(
        shared.new_browser(), client_id=[shared.client_id, shared.client_id]
    )
    problem_page(response, status=401)


@ON_SQLITE
async def test_a_registration_that_nobody_used_in_an_hour_is_unknown(auth: AuthUnderTest) -> None:
    auth.clock.advance(minutes=59)
    assert (await auth.authorize(auth.new_browser())).status_code == 200
    auth.clock.advance(minutes=1)
    page = problem_page(await auth.authorize(auth.new_browser()), status=401)
    assert "add it again" in page


@ON_SQLITE
async def test_a_client_that_an_operator_disabled_is_unknown(auth: AuthUnderTest) -> None:
    async with auth.resources.database.transaction() as tx:
        await tx.clients._connection.execute(clients.update().values(disabled_at=auth.clock()))
    problem_page(await auth.authorize(auth.new_browser()), status=401)


@pytest.mark.standard(
    "RFC 6749 3.1.2 fragment",
    "RFC 6749 3.1.2.4",
    "RFC 6749 4.1.2.1 no redirect",
    "RFC 6749 10.15",
    "RFC 8252 8.4 exact",
    "RFC 9700 2.1 exact matching",
    "RFC 9700 4.1.3",
    "OAuth 2.1 2.3.1",
    "MCP 2026-07-28 authorization: redirect URIs",
)
@ON_ONE_SERVER
@pytest.mark.parametrize(
    "redirect_uri",
    [
        "",
        "https://evil.example/callback",
        "http://127.0.0.1:33418/callback/",
        "http://127.0.0.1:33418/callback/../callback",
        "http://127.0.0.1:33418/Callback",
        "http://127.0.0.1:33418/callback?next=evil",
        "http://127.0.0.1:33418/callback#fragment",
        "http://127.0.0.1:33418/callback#",
        "http://127.0.0.1:33418/%63allback",
        "http://localhost:33418/callback",
        "http://127.0.0.2:33418/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.1@evil.example/callback",
        "http://user@127.0.0.1:33418/callback",
        "http://127.0.0.1:33418\\@evil.example/callback",
        "http://127.0.0.1:99999/callback",
        "http://127.0.0.1:-1/callback",
        "http://127.0.0.1:80 80/callback",
        "http://[::1]:33418/callback",
        "https://127.0.0.1:33418/callback",
        "//127.0.0.1:33418/callback",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "blob:http://127.0.0.1:33418/callback",
        "http://127.0.0.1:33418/callback\r\nLocation: https://evil.example",
        " http://127.0.0.1:33418/callback",
        "http://127.0.0.1:33418/callback ",
        "http://127.0.0.1:33418/callback\t",
        "http://127.0.0.1:33418/" + "c" * 3000,
        "http://[127.0.0.1/callback",
        "http://[::1]evil.example:33418/callback",
        "http://127.0.0.1[::1]:33418/callback",
        "http://127.1:33418/callback",
        "http://2130706433:33418/callback",
        "http://127.0.0.1.:33418/callback",
        "http://127.0.0.1:033418/callback",
        [REDIRECT_URI, REDIRECT_URI],
        [REDIRECT_URI, "https://evil.example/callback"],
    ],
    ids=lambda value: str(value)[:60],
)
async def test_an_address_that_was_not_registered_gets_no_redirect(
    shared: AuthUnderTest, redirect_uri: str | list[str]
) -> None:
    response = await shared.authorize(
        shared.new_browser(), redirect_uri=redirect_uri, response_type="token"
    )
    page = problem_page(response)
    assert "This address was not registered" in page
    assert "evil" not in page
    assert "alert(1)" not in page
    assert await count_rows(shared, authorizations) == 0


@pytest.mark.standard("RFC 6749 3.1.2.3")
@ON_SQLITE
async def test_with_several_registered_addresses_one_must_be_named(auth: AuthUnderTest) -> None:
    uris = ["https://client.example/one", "https://client.example/two"]
    auth.client_id = (await auth.register(redirect_uris=uris))["client_id"]
    response = await auth.authorize(auth.new_browser(), redirect_uri=None)
    assert "This address was not registered" in problem_page(response)


@ON_SQLITE
@pytest.mark.parametrize(
    ("redirect_uri", "shown"),
    [
        ("https://client.example:8443/callback", "client.example:8443"),
        ("https://app.localhost/callback", "An application on this computer"),
        ("https://127.0.0.2/callback", "An application on this computer"),
        ("https://192.0.2.7/callback", "A computer that has no name there"),
        ("http://[::1]:33418/callback", "[::1]:33418"),
    ],
)
async def test_the_consent_page_shows_the_port_and_what_the_address_is(
    auth: AuthUnderTest, redirect_uri: str, shown: str
) -> None:
    auth.client_id = (await auth.register(redirect_uris=[redirect_uri]))["client_id"]
    page = await auth.authorize(auth.new_browser(), redirect_uri=redirect_uri)
    assert page.status_code == 200
    assert shown in page.text


@ON_SQLITE
async def test_an_address_from_before_the_rules_gets_no_redirect(auth: AuthUnderTest) -> None:
    # Registered by a program that read it otherwise: neither named nor by default.
    old = "https://evil.example[::1]/callback"
    async with auth.resources.database.transaction() as tx:
        await tx.clients._connection.execute(clients.update().values(redirect_uris=[old]))
    for redirect_uri in (old, None):
        response = await auth.authorize(auth.new_browser(), redirect_uri=redirect_uri)
        assert "This address was not registered" in problem_page(response)


@pytest.mark.standard("RFC 8252 7.2")
@ON_SQLITE
@pytest.mark.parametrize("port", ["", ":443", ":8443"])
async def test_only_loopback_may_vary_its_port(auth: AuthUnderTest, port: str) -> None:
    registered = "https://client.example:9443/callback"
    auth.client_id = (await auth.register(redirect_uris=[registered]))["client_id"]
    response = await auth.authorize(
        auth.new_browser(), redirect_uri=f"https://client.example{port}/callback"
    )
    problem_page(response)


@ON_SQLITE
async def test_the_address_of_another_client_gets_no_redirect(auth: AuthUnderTest) -> None:
    theirs = "https://theirs.example/callback"
    await auth.register(redirect_uris=[theirs])
    problem_page(await auth.authorize(auth.new_browser(), redirect_uri=theirs))


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "damage",
    [
        "state=%FF",
        "%FF=state",
        "state=%ED%A0%80",
        "state=%00",
        "a%00b=c",
        "scope=todo_api:read%00",
        "novalue",
        "state=" + "s" * 32_768,
        "&".join(f"p{number}=v" for number in range(51)),
    ],
    ids=lambda value: value[:20],
)
async def test_a_query_that_cannot_be_read_ends_on_a_page(
    shared: AuthUnderTest, damage: str
) -> None:
    assert "This link is damaged" in await navigate(shared, f"{query_of(shared)}&{damage}")


@ON_SQLITE
async def test_raw_bytes_in_the_query_end_on_a_page(auth: AuthUnderTest) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/authorize",
        "query_string": f"{query_of(auth)}&state=\u00fc".encode(),
        "headers": [],
    }
    await auth.apps["http://localhost:8080"](scope, receive, send)
    assert sent[0]["status"] == 400


@ON_ONE_SERVER
async def test_a_link_without_parameters_ends_on_a_page(shared: AuthUnderTest) -> None:
    problem_page(await shared.new_browser().get("/authorize"), status=401)


@ON_ONE_SERVER
async def test_a_page_names_the_request_for_the_operators(shared: AuthUnderTest) -> None:
    response = await shared.new_browser().get("/authorize?client_id=unknown")
    assert response.headers["x-request-id"] in response.text


@ON_ONE_SERVER
async def test_a_page_of_an_authorization_answers_one_method_only(
    shared: AuthUnderTest,
) -> None:
    browser = shared.new_browser()
    for response in (
        await browser.post(f"/authorize?{query_of(shared)}"),
        await browser.get("/consent"),
        await browser.post("/callback"),
    ):
        assert response.status_code == 405
        assert response.headers["allow"]


@pytest.mark.standard("RFC 6749 10.13", "MCP 2026-07-28 security: consent page")
@ON_SQLITE
async def test_the_consent_page_has_the_headers_of_every_page(auth: AuthUnderTest) -> None:
    response = await auth.authorize(auth.new_browser())
    assert response.status_code == 200
    assert {name: response.headers.get(name) for name in PAGE_HEADERS} == PAGE_HEADERS
    # Browsers apply form-action to the redirect that answers a form: it leaves for PingOne.
    assert "form-action" not in response.headers["content-security-policy"]
    assert "cross-origin-opener-policy" not in response.headers
