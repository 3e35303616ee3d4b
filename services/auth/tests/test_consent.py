"""`POST /consent`: a decision counts once, and only from the page that this browser was shown."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace

import pytest
from auth_answers import (
    count_rows,
    error_at_client,
    host_of,
    outcome_page,
    problem_page,
)
from auth_harness import ISSUER, AuthUnderTest, form_of, redirect_query
from fetch_headers import navigation
from sqlalchemy import select

from auth_server.endpoints.sealed_form import SealedForm
from auth_server.storage.tables import authorizations, consent_decisions, consents, grants

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
    assert await stored() == []
    assert not auth.pingone.requests
    sent = redirect_query(await auth.decide(browser, consent))
    [after] = await stored()
    for column in after:
        assert column
        assert sent["state"].encode() not in column
        assert sent["nonce"].encode() not in column


async def test_a_flood_of_strangers_at_authorize_writes_no_row(auth: AuthUnderTest) -> None:
    await asyncio.gather(*[auth.authorize(auth.new_browser()) for _ in range(20)])
    for table in (authorizations, consent_decisions, consents):
        assert await count_rows(auth, table) == 0


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
    assert "You denied this request" in outcome_page(await auth.decide(browser, consent))


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "changes",
    [
        {"sealed": None},
        {"sealed": ""},
        {"sealed": "made-up"},
        {"sealed": "AQAA"},
        {"sealed": "AQ" * 40},
        {"sealed": "\u20ac.\u20ac.\u20ac"},
        {"form_id": None},
        {"form_id": ""},
        {"form_id": "another"},
        {"form_id": "x" * 22},
        {"decision": None},
        {"decision": ""},
        {"decision": "ALLOW"},
        {"decision": "maybe"},
        {"decision": ["allow", "deny"]},
        {"sealed": ["", ""]},
        {"upstream_state": "another"},
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
async def test_what_another_form_sealed_decides_nothing(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    one, two = form_of(await auth.authorize(browser)), form_of(await auth.authorize(browser))
    for mixed in (one | {"sealed": two["sealed"]}, one | {"form_id": two["form_id"]}):
        problem_page(await browser.post("/consent", data={**mixed, "decision": "allow"}))


@ON_SQLITE
async def test_what_was_sealed_and_changed_decides_nothing(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    form = form_of(await auth.authorize(browser))
    sealed = bytearray(base64.urlsafe_b64decode(form["sealed"]))
    for position in (0, 1, 8, 9, 25, -1):  # version, time, nonce, text and tag
        changed = sealed.copy()
        changed[position] ^= 1
        forged = form | {"sealed": base64.urlsafe_b64encode(changed).decode(), "decision": "allow"}
        problem_page(await browser.post("/consent", data=forged))


@ON_SQLITE
async def test_what_another_key_sealed_decides_nothing(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    form = form_of(await auth.authorize(browser))
    _, _, secret = browser.cookies[f"mcp_pingone_asked_{form['form_id']}"].partition(".")
    ours = SealedForm("consent-form", ISSUER, ["a-cookie-key-for-the-tests-only"], auth.clock)
    unsealed = ours.unseal(form["sealed"], form_id=form["form_id"], secret=secret)
    assert unsealed is not None
    for other in (
        replace(ours, cookie_keys=["another-key"]),
        replace(ours, purpose="another"),
        replace(ours, issuer="https://another.example"),
    ):
        sealed = other.seal(unsealed.content, form_id=form["form_id"], secret=secret)
        forged = form | {"sealed": sealed, "decision": "allow"}
        problem_page(await browser.post("/consent", data=forged))


async def test_allow_checks_the_request_again(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    async with auth.resources.database.transaction() as tx:
        await tx.clients.disable(auth.client_id, now=auth.clock())
    assert "not known here" in problem_page(await auth.decide(browser, consent), status=401)
    assert await count_rows(auth, authorizations) == 0


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
        {"origin": "null", **navigation("cross-site")},
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
    for origin in (ISSUER, "null"):  # what a proxy makes of it that hides referrers
        same_origin = {"origin": origin, **navigation("same-origin")}
        answer = await browser.post("/consent", data=form, headers=same_origin)
        assert host_of(answer) == "localhost:9080"


@ON_SQLITE
async def test_a_browser_without_the_cookie_decides_nothing(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    browser.cookies.clear()
    assert "did not send back the cookie" in problem_page(await auth.decide(browser, consent))


@ON_SQLITE
async def test_without_a_decision_nobody_gets_a_grant(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    await auth.authorize(browser)
    problem_page(await browser.get("/callback?code=any&state=any"))
    assert await count_rows(auth, grants) == 0
