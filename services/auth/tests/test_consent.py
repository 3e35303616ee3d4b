"""`POST /consent`: a decision counts once, and only from the page that this browser was shown."""

from collections.abc import Mapping

import pytest
from auth_answers import count_rows, error_at_client, host_of, problem_page
from auth_harness import ISSUER, AuthUnderTest, form_of, redirect_query
from fetch_headers import navigation
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from sqlalchemy import select

from auth_server.storage.tables import authorizations, grants

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_ONE_SERVER = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.standard("MCP 2026-07-28 security: consent page")
@ON_SQLITE
async def test_the_page_says_who_asks_where_to_and_for_what(auth: AuthUnderTest) -> None:
    page = (await auth.authorize(auth.new_browser())).text
    for words in ("A test client", "127.0.0.1", "todo_api:read", "todo_api:write"):
        assert words in page
    assert "the-clients-state" not in page


@pytest.mark.standard("MCP 2026-07-28 security: confused deputy")
async def test_the_upstream_state_exists_only_after_the_approval(auth: AuthUnderTest) -> None:
    columns = authorizations.c
    secrets = (columns.state_digest, columns.code_verifier_encrypted, columns.nonce_encrypted)

    async def stored() -> list[tuple[bytes | None, ...]]:
        async with auth.resources.database.reading_connection() as connection:
            return [tuple(row) for row in await connection.execute(select(*secrets))]

    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    assert await stored() == [(None, None, None)]
    assert not auth.pingone.requests
    sent = redirect_query(await auth.decide(browser, consent))
    [after] = await stored()
    for column in after:
        assert column
        assert sent["state"].encode() not in column
        assert sent["nonce"].encode() not in column


@pytest.mark.standard(
    "RFC 7636 7.1", "RFC 7636 7.2", "RFC 8707 2 as client", "RFC 9700 4.5.3.2", "OIDC Core 3.1.2.1"
)
@ON_SQLITE
async def test_pingone_is_asked_for_the_consented_scopes_with_pkce_state_and_nonce(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    to_pingone = await auth.decide(browser, await auth.authorize(browser, scope="todo_api:read"))
    assert host_of(to_pingone) == "localhost:9080"
    sent = redirect_query(to_pingone)
    assert sent["scope"].split() == ["openid", "profile", "todo_api:read"]
    assert sent["code_challenge_method"] == "S256"
    assert sent["redirect_uri"] == f"{ISSUER}/callback"
    assert sent["resource"] == "https://todo.api.com"
    assert sent["response_type"] == "code"
    assert len({sent["state"], sent["nonce"], sent["code_challenge"]}) == 3
    assert min(len(sent[name]) for name in ("state", "nonce", "code_challenge")) == 43
    assert "prompt" not in sent


@pytest.mark.standard("RFC 6749 4.1.2.1 codes", "RFC 9207 2 error")
async def test_denying_tells_the_client_and_leaves_nothing_behind(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    assert error_at_client(await auth.decide(browser, consent, "deny")) == "access_denied"
    assert not auth.pingone.requests
    assert await count_rows(auth, authorizations) == 0
    # Nothing was remembered, and the page cannot be taken up again.
    assert (await auth.authorize(browser)).status_code == 200
    problem_page(await auth.decide(browser, consent))


@pytest.mark.parametrize("second", ["allow", "deny"])
async def test_a_second_click_after_allow_decides_nothing(auth: AuthUnderTest, second: str) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    to_pingone = await auth.decide(browser, consent)
    assert "no longer open" in problem_page(await auth.decide(browser, consent, second))
    # The first click still leads to the end.
    back = await auth.back(browser, await auth.sign_on(browser, to_pingone))
    assert "code" in redirect_query(back)
    problem_page(await auth.decide(browser, consent, second))


async def test_a_page_that_was_left_open_for_ten_minutes_decides_nothing(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    auth.clock.advance(minutes=10)
    assert "no longer open" in problem_page(await auth.decide(browser, consent))
    assert "no longer open" in problem_page(await auth.decide(browser, consent, "deny"))


@ON_SQLITE
async def test_a_form_token_is_refused_after_ten_minutes(
    auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(seconds: int) -> None:
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: 1_000_000 + seconds)

    browser = auth.new_browser()
    at(0)
    one, two = await auth.authorize(browser), await auth.authorize(browser)
    at(600)
    assert host_of(await auth.decide(browser, one)) == "localhost:9080"
    at(601)
    assert "could not be accepted" in problem_page(await auth.decide(browser, two))


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "changes",
    [
        {"csrf_token": None},
        {"csrf_token": ""},
        {"csrf_token": "made-up"},
        {"csrf_token": "\u20ac.\u20ac.\u20ac"},
        {"authorization_id": None},
        {"authorization_id": ""},
        {"authorization_id": "another"},
        {"decision": None},
        {"decision": ""},
        {"decision": "ALLOW"},
        {"decision": "maybe"},
        {"decision": ["allow", "deny"]},
        {"csrf_token": ["", ""]},
        {"an_extension": "nul\x00"},
        {"an_extension": "x" * 70_000},
    ],
    ids=lambda changes: str(changes)[:50],
)
async def test_a_form_that_is_not_as_it_was_shown_decides_nothing(
    shared: AuthUnderTest, changes: dict[str, str | list[str] | None]
) -> None:
    browser = shared.new_browser()
    consent = await shared.authorize(browser)
    form = {**form_of(consent), "decision": "allow"} | changes
    given = {name: value for name, value in form.items() if value is not None}
    problem_page(await browser.post("/consent", data=given))
    # It was not spent either.
    assert host_of(await shared.decide(browser, consent)) == "localhost:9080"


@ON_SQLITE
async def test_the_token_of_another_authorization_decides_nothing(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    one, two = await auth.authorize(browser), await auth.authorize(browser)
    mixed = form_of(one) | {"csrf_token": form_of(two)["csrf_token"], "decision": "allow"}
    problem_page(await browser.post("/consent", data=mixed))


@ON_SQLITE
async def test_a_token_that_another_key_signed_decides_nothing(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    form = form_of(await auth.authorize(browser))
    ours = URLSafeTimedSerializer("a-cookie-key-for-the-tests-only", salt="consent-form")
    theirs = URLSafeTimedSerializer("another-key", salt="consent-form")
    content = ours.loads(form["csrf_token"])  # signed, not secret
    forged = form | {"csrf_token": str(theirs.dumps(content)), "decision": "allow"}
    problem_page(await browser.post("/consent", data=forged))


@pytest.mark.standard("RFC 6749 10.12", "MCP 2026-07-28 security: consent page")
@ON_ONE_SERVER
@pytest.mark.parametrize(
    "headers",
    [
        navigation("cross-site"),
        navigation("same-site"),
        navigation("none"),
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8081"},
        {"origin": "http://localhost:8080.evil.example"},
        {"origin": ISSUER, **navigation("cross-site")},
        {"origin": "https://evil.example", **navigation("same-origin")},
        {"content-type": "application/json"},
        {"content-type": "text/plain"},
        {"content-type": "multipart/form-data; boundary=x"},
    ],
    ids=str,
)
async def test_a_form_from_elsewhere_decides_nothing(
    shared: AuthUnderTest, headers: Mapping[str, str]
) -> None:
    browser = shared.new_browser()
    consent = await shared.authorize(browser)
    form = {**form_of(consent), "decision": "allow"}
    problem_page(await browser.post("/consent", data=form, headers=headers))
    same_origin = {"origin": ISSUER, **navigation("same-origin")}
    assert host_of(await browser.post("/consent", data=form, headers=same_origin))


@ON_SQLITE
async def test_a_browser_without_the_cookie_decides_nothing(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    browser.cookies.clear()
    assert "Cookies must be allowed" in problem_page(await auth.decide(browser, consent))


@ON_SQLITE
async def test_without_a_decision_nobody_gets_a_grant(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    await auth.authorize(browser)
    problem_page(await browser.get("/callback?code=any&state=any"))
    assert await count_rows(auth, grants) == 0
