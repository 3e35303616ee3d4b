"""Behind https every answer tells browsers to come by https only; in development none does."""

from collections.abc import AsyncIterator

import pytest
from auth_harness import INTERNAL, AuthUnderTest
from deployed_auth import browser_of, deployed_auth

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HEADER = "strict-transport-security"


@pytest.fixture
async def deployed(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The server as it is deployed: behind https."""
    async with deployed_auth(database_url) as auth:
        yield auth


@pytest.mark.standard("RFC 6797 7.1", "RFC 6797 6.1.2")
@ON_SQLITE
async def test_every_answer_of_the_public_port_says_that_it_is_https_only(
    deployed: AuthUnderTest,
) -> None:
    browser = browser_of(deployed)
    for response in (
        await deployed.authorize(browser),
        await browser.get("/authorize?client_id=unknown"),
        await browser.get("/account"),
        await browser.get("/.well-known/oauth-authorization-server"),
        await browser.get("/static/favicon.svg"),
        await browser.get("/no/such/path"),
        await browser.put("/token"),
        await browser.post("/token", data={"grant_type": "x"}),
        await browser.options("/token", headers={"origin": "https://a.example"}),
    ):
        assert response.headers.get_list(HEADER) == ["max-age=63072000"], response.request.url


@ON_SQLITE
async def test_an_unexpected_failure_says_so_too(
    deployed: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("unexpected")

    monkeypatch.setattr(deployed.resources.database, "transaction", fail)
    response = await browser_of(deployed).post(
        "/register", json={"redirect_uris": ["https://client.example/callback"]}
    )
    assert response.status_code == 500
    assert response.headers.get_list(HEADER) == ["max-age=63072000"]


@ON_SQLITE
async def test_the_internal_port_is_no_browsers_and_says_nothing(deployed: AuthUnderTest) -> None:
    for path in ("/livez", "/metrics", "/introspect", "/none"):
        assert HEADER not in (await deployed.anyone.get(f"{INTERNAL}{path}")).headers


@pytest.mark.standard("RFC 6797 7.2")
@ON_SQLITE
async def test_in_development_nothing_is_said(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    for response in (await auth.authorize(browser), await browser.get("/none")):
        assert HEADER not in response.headers
