"""`GET /callback`: PingOne's answer belongs to one browser, counts once, and may be an error."""

import httpx
import pytest
from auth_answers import (
    code_at_client,
    count_rows,
    error_at_client,
    problem_page,
)
from auth_harness import AuthUnderTest, redirect_query

from auth_server.storage.tables import authorizations, grants

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_ONE_SERVER = pytest.mark.asyncio(loop_scope="module")


async def approved(
    auth: AuthUnderTest, browser: httpx.AsyncClient, **changes: str
) -> tuple[httpx.Response, str]:
    """An authorization that waits at PingOne: the redirect there, and the upstream state."""
    to_pingone = await auth.decide(browser, await auth.authorize(browser, **changes))
    return to_pingone, redirect_query(to_pingone)["state"]


async def returned(auth: AuthUnderTest, browser: httpx.AsyncClient) -> httpx.Response:
    """The redirect with which PingOne sends the browser back after the sign-on."""
    to_pingone, _ = await approved(auth, browser)
    return await auth.sign_on(browser, to_pingone)


@pytest.mark.standard("RFC 6749 10.12", "RFC 9700 4.7", "MCP 2026-07-28 security: confused deputy")
async def test_another_browser_can_neither_use_nor_spend_the_answer(auth: AuthUnderTest) -> None:
    browser, other = auth.new_browser(), auth.new_browser()
    answer = await returned(auth, browser)
    problem_page(await auth.back(other, answer))  # no cookie
    assert (await auth.authorize(other)).status_code == 200
    problem_page(await auth.back(other, answer))  # another cookie
    assert await count_rows(auth, grants) == 0
    code_at_client(await auth.back(browser, answer))


async def test_an_answer_after_half_an_hour_is_too_late_and_the_client_is_told(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    auth.clock.advance(minutes=30)
    assert error_at_client(await auth.back(browser, answer)) == "access_denied"
    assert await count_rows(auth, grants) == 0


async def test_what_comes_later_than_an_hour_after_that_ends_on_a_page(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    auth.clock.advance(minutes=91)
    await auth.sweep()
    problem_page(await auth.back(browser, answer))


@ON_SQLITE
async def test_the_half_hour_at_pingone_begins_with_the_approval(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    auth.clock.advance(minutes=59)
    to_pingone = await auth.decide(browser, consent)
    auth.clock.advance(minutes=29)
    code_at_client(await auth.back(browser, await auth.sign_on(browser, to_pingone)))


@pytest.mark.standard("OIDC Core 3.1.2.7")
@ON_ONE_SERVER
@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=c",
        "state=&code=c",
        "state=unknown&code=c",
        "state=unknown&error=access_denied",
        "state=%FF&code=c",
        "state=%00&code=c",
        "state=" + "s" * 40_000,
    ],
    ids=lambda query: query[:30],
)
async def test_an_answer_to_nothing_ends_on_a_page(shared: AuthUnderTest, query: str) -> None:
    browser = shared.new_browser()
    await approved(shared, browser)
    before = await count_rows(shared, authorizations)
    problem_page(await browser.get(f"/callback?{query}"))
    assert await count_rows(shared, authorizations) == before


@pytest.mark.standard("OIDC Core 3.1.2.7")
@ON_SQLITE
async def test_a_repeated_parameter_ends_on_a_page_and_spends_nothing(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    answer = await returned(auth, browser)
    location = answer.headers["location"]
    for extra in ("code=another", "state=another", "error=access_denied&error=access_denied"):
        problem_page(await browser.get(f"{location}&{extra}"))
    code_at_client(await auth.back(browser, answer))


@ON_SQLITE
async def test_the_consent_form_cannot_stand_in_for_the_answer_of_pingone(
    auth: AuthUnderTest,
) -> None:
    # Before Allow nothing is stored that could be called back.
    browser = auth.new_browser()
    await auth.authorize(browser)
    problem_page(await browser.get("/callback?state=None&code=c"))


@pytest.mark.standard("RFC 6749 4.1.2.1 codes", "OIDC Core 3.1.2.6")
@ON_ONE_SERVER
@pytest.mark.parametrize(
    ("upstream", "error"),
    [
        ("access_denied", "access_denied"),
        ("login_required", "login_required"),
        ("interaction_required", "login_required"),
        ("consent_required", "login_required"),
        ("account_selection_required", "login_required"),
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("server_error", "server_error"),
        # What is wrong with our own request is no fault that the client could mend.
        ("invalid_request", "server_error"),
        ("invalid_scope", "server_error"),
        ("unauthorized_client", "server_error"),
        ("invalid_client", "server_error"),
        ("<script>alert(1)</script>", "server_error"),
        ("x" * 5000, "server_error"),
    ],
    ids=lambda value: value[:40],
)
async def test_an_error_of_pingone_is_told_to_the_client(
    shared: AuthUnderTest, upstream: str, error: str
) -> None:
    browser = shared.new_browser()
    _, state = await approved(shared, browser)
    answer = {"state": state, "error": upstream, "error_description": "leak-me"}
    response = await browser.get("/callback", params=answer)
    assert error_at_client(response) == error
    for secret in ("leak-me", "alert", state):
        assert secret not in response.headers["location"]
    # The error spent the state: no code can follow it.
    later = await browser.get("/callback", params={"state": state, "code": "c"})
    assert error_at_client(later) == error
    assert await count_rows(shared, grants) == 0


@pytest.mark.standard("OIDC Core 3.1.2.6")
@ON_SQLITE
async def test_cancelling_at_pingone_denies_the_access(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    _, state = await approved(auth, browser, state="another")
    response = await browser.get(
        "/callback", params={"state": state, "error": "access_denied", "code": "both"}
    )
    assert error_at_client(response, state="another") == "access_denied"
    # Nothing was remembered of a consent that led nowhere.
    assert (await auth.authorize(browser)).status_code == 200


@ON_ONE_SERVER
@pytest.mark.parametrize("code", [None, ""])
async def test_an_answer_without_code_and_error_is_a_server_error(
    shared: AuthUnderTest, code: str | None
) -> None:
    browser = shared.new_browser()
    _, state = await approved(shared, browser)
    answer = {"state": state} if code is None else {"state": state, "code": code}
    assert error_at_client(await browser.get("/callback", params=answer)) == "server_error"


@ON_ONE_SERVER
async def test_a_made_up_code_is_a_server_error_and_no_grant(shared: AuthUnderTest) -> None:
    browser = shared.new_browser()
    _, state = await approved(shared, browser)
    response = await browser.get("/callback", params={"state": state, "code": "made-up"})
    assert error_at_client(response) == "server_error"
    assert await count_rows(shared, grants) == 0


async def test_a_login_during_which_the_registration_ran_out_still_leads_to_handles(
    auth: AuthUnderTest,
) -> None:
    auth.clock.advance(minutes=59)
    browser = auth.new_browser()
    to_pingone, _ = await approved(auth, browser)
    auth.clock.advance(minutes=2)
    code = code_at_client(await auth.back(browser, await auth.sign_on(browser, to_pingone)))
    assert (await auth.exchange(code)).status_code == 200
