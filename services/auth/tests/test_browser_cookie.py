"""The browser's cookie: one per browser, whatever number of tabs; nothing works without it."""

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie

import httpx
import pytest
from auth_answers import answer_at_client, code_at_client, error_at_client, problem_page
from auth_harness import AuthUnderTest, form_of
from deployed_auth import PUBLIC_URL, browser_of, deployed_auth

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# As long as browsers keep any cookie (RFC 6265bis 5.5).
MAX_AGE = str(400 * 24 * 3600)


def attributes_of(response: httpx.Response, name: str) -> dict[str, str]:
    """The one cookie that a response sets, without its value, by attribute."""
    headers = response.headers.get_list("set-cookie")
    assert len(headers) == 1, headers
    cookie = SimpleCookie(headers[0])[name]
    assert len(cookie.value) == 43  # 256 bits
    return {attribute: str(value) for attribute, value in cookie.items() if value}


@pytest.fixture
async def deployed(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """The server as it is deployed: behind https."""
    async with deployed_auth(database_url) as auth:
        yield auth


@ON_SQLITE
async def test_in_development_the_cookie_is_bound_to_this_site_and_hidden_from_scripts(
    auth: AuthUnderTest,
) -> None:
    response = await auth.authorize(auth.new_browser())
    assert attributes_of(response, "mcp_pingone_browser") == {
        "path": "/",
        "httponly": "True",
        "samesite": "lax",
        "max-age": MAX_AGE,
    }


@pytest.mark.standard("MCP 2026-07-28 security: consent cookie")
@ON_SQLITE
async def test_behind_https_the_cookie_is_secure_and_host_only(deployed: AuthUnderTest) -> None:
    response = await deployed.authorize(browser_of(deployed))
    assert attributes_of(response, "__Host-mcp_pingone_browser") == {
        "path": "/",
        "httponly": "True",
        "samesite": "lax",
        "secure": "True",
        "max-age": MAX_AGE,
    }


@pytest.mark.standard("RFC 9207 2.3", "RFC 9700 4.13")
@ON_SQLITE
async def test_behind_https_the_whole_login_names_the_public_url(deployed: AuthUnderTest) -> None:
    browser = browser_of(deployed)
    to_pingone = await deployed.decide(browser, await deployed.authorize(browser))
    returned = await deployed.sign_on(browser, to_pingone)
    assert returned.headers["location"].startswith(f"{PUBLIC_URL}/callback?")
    code_at_client(await deployed.back(browser, returned), issuer=PUBLIC_URL)


@ON_SQLITE
async def test_behind_https_the_cookie_of_development_counts_for_nothing(
    deployed: AuthUnderTest,
) -> None:
    browser = browser_of(deployed)
    consent = await deployed.authorize(browser)
    value = browser.cookies["__Host-mcp_pingone_browser"]
    browser.cookies.clear()
    # A sibling host can set this one, but no cookie whose name begins with __Host-.
    browser.cookies.set("mcp_pingone_browser", value, domain="auth.example.com")
    problem_page(await deployed.decide(browser, consent))


@ON_SQLITE
@pytest.mark.parametrize("value", ["", "short", "x" * 44, "x" * 42, '"' + "x" * 41 + '"'])
async def test_a_cookie_that_is_not_ours_is_replaced(auth: AuthUnderTest, value: str) -> None:
    browser = auth.new_browser()
    headers = {"cookie": f"mcp_pingone_browser={value}"}
    page = await browser.get("/authorize", params={"client_id": "unknown"}, headers=headers)
    problem_page(page, status=401)
    browser.headers.update(headers)
    response = await auth.authorize(browser)
    assert response.status_code == 200
    assert response.cookies["mcp_pingone_browser"] != value
    assert len(response.cookies["mcp_pingone_browser"]) == 43


@ON_SQLITE
async def test_a_browser_keeps_the_cookie_that_it_has(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    assert (await auth.authorize(browser)).headers.get_list("set-cookie")
    # What was read is never set again, so that nobody's planted secret becomes ours.
    for page in (await auth.authorize(browser), await browser.get("/account")):
        assert page.status_code == 200
        assert "set-cookie" not in page.headers


async def test_two_tabs_share_one_cookie_and_both_finish(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    one = await auth.authorize(browser, state="tab one")
    cookie = browser.cookies["mcp_pingone_browser"]
    two = await auth.authorize(browser, state="tab two")
    assert browser.cookies["mcp_pingone_browser"] == cookie
    one_at_pingone = await auth.decide(browser, one)
    two_at_pingone = await auth.decide(browser, two)
    for at_pingone, state in ((two_at_pingone, "tab two"), (one_at_pingone, "tab one")):
        returned = await auth.back(browser, await auth.sign_on(browser, at_pingone))
        code = code_at_client(returned, state=state)
        assert (await auth.exchange(code)).status_code == 200


@ON_SQLITE
async def test_denying_in_one_tab_leaves_the_other_alone(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    one, two = await auth.authorize(browser), await auth.authorize(browser)
    assert error_at_client(await auth.decide(browser, one, "deny")) == "access_denied"
    returned = await auth.sign_on(browser, await auth.decide(browser, two))
    code_at_client(await auth.back(browser, returned))


@ON_SQLITE
async def test_the_answer_of_one_tab_does_not_finish_the_other(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    returned: list[httpx.URL] = []
    for _ in range(2):
        to_pingone = await auth.decide(browser, await auth.authorize(browser, prompt="consent"))
        returned.append(httpx.URL((await auth.sign_on(browser, to_pingone)).headers["location"]))
    # PingOne's code is bound by PKCE to the login it was issued for.
    mixed = returned[0].copy_set_param("code", returned[1].params["code"])
    answer = answer_at_client(await browser.get(mixed))
    assert answer["error"] == "server_error"


async def test_the_form_of_one_browser_decides_nothing_in_another(auth: AuthUnderTest) -> None:
    alices, mallorys = auth.new_browser(), auth.new_browser()
    alices_page = await auth.authorize(alices)
    mallorys_page = await auth.authorize(mallorys)
    problem_page(await auth.decide(mallorys, alices_page))
    problem_page(await auth.decide(mallorys, alices_page, "deny"))
    mixed = form_of(mallorys_page) | {
        "authorization_id": form_of(alices_page)["authorization_id"],
        "decision": "allow",
    }
    problem_page(await mallorys.post("/consent", data=mixed))
    # Nobody's authorization was spent by the attempts.
    for browser, page in ((alices, alices_page), (mallorys, mallorys_page)):
        returned = await auth.sign_on(browser, await auth.decide(browser, page))
        code_at_client(await auth.back(browser, returned))


@ON_SQLITE
async def test_a_cookie_that_is_none_of_ours_is_replaced(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    browser.headers["cookie"] = 'mcp_pingone_browser="\\001' + 42 * "a" + '"'
    response = await auth.authorize(browser)
    assert response.status_code == 200
    replaced = SimpleCookie(response.headers["set-cookie"])["mcp_pingone_browser"].value
    assert len(replaced) == 43
    assert replaced.isprintable()
