"""/authorize: what is refused on a page, what is sent to the client, and when a page is shown."""

import httpx
import pytest
from unread_cookies import COOKIE, forbid_cookie_parsers

from pingone_simulator.testing import Clock, RelyingParty, Start, redirect_query


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "somebody-else"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://localhost:8080/callback/"},
        {"redirect_uri": "http://localhost:8080/callback?next=1"},
        {"redirect_uri": "http://LOCALHOST:8080/callback"},
    ],
)
async def test_a_request_that_cannot_be_trusted_ends_on_a_page_and_never_in_a_redirect(
    party: RelyingParty, changes: dict[str, str | None]
) -> None:
    response = await party.authorize(**changes)

    assert response.status_code == httpx.codes.BAD_REQUEST
    assert response.headers["content-type"].startswith("text/html")
    assert "location" not in response.headers
    assert response.headers["correlation-id"] in response.text


async def test_a_repeated_redirect_uri_ends_on_a_page(party: RelyingParty) -> None:
    redirect_uri = party.settings.redirect_uris[0]
    query = f"client_id={party.settings.client_id}&redirect_uri={redirect_uri}"

    response = await party.browser.get(
        f"{party.issuer}/authorize?{query}&redirect_uri={redirect_uri}"
    )

    assert response.status_code == httpx.codes.BAD_REQUEST
    assert "more than once" in response.text


@pytest.mark.parametrize("query", ["client_id=%ff%fe", "&".join(["a=b"] * 60), "a=" + "b" * 9000])
async def test_a_malformed_or_oversized_query_ends_on_a_page(
    party: RelyingParty, query: str
) -> None:
    response = await party.browser.get(f"{party.issuer}/authorize?{query}")

    assert response.status_code == httpx.codes.BAD_REQUEST


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "too-short"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "unheard_of"}, "invalid_scope"),
        ({"scope": "openid todo_api:read notes_api:read"}, "invalid_scope"),
        ({"resource": "https://unknown.example"}, "invalid_target"),
        ({"resource": "https://notes.api.com"}, "invalid_scope"),
        ({"prompt": "consent"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "9" * 4000}, "invalid_request"),
    ],
)
async def test_other_errors_go_to_the_client_with_state_and_correlation_id(
    party: RelyingParty, changes: dict[str, str | None], error: str
) -> None:
    response = await party.authorize(**changes)

    assert response.headers["location"].startswith(f"{party.settings.redirect_uris[0]}?")
    answer = redirect_query(response)
    assert answer["error"] == error
    assert answer["state"] == "the-state"
    assert f"(Correlation ID: {response.headers['correlation-id']})" in answer["error_description"]
    assert "iss" not in answer


async def test_the_answer_is_added_to_a_query_that_the_redirect_uri_already_has(
    start: Start,
) -> None:
    party = start(redirect_uris="http://localhost:8080/callback?tenant=1")

    response = await party.authorize(prompt="none")

    assert redirect_query(response)["tenant"] == "1"
    assert redirect_query(response)["error"] == "login_required"


async def test_without_a_session_the_sign_on_page_is_shown(party: RelyingParty) -> None:
    response = await party.authorize(login_hint="bob")

    assert response.status_code == httpx.codes.OK
    assert 'value="bob"' in response.text
    assert "localhost:8080" in response.text


async def test_the_page_runs_no_script_and_cannot_be_framed(party: RelyingParty) -> None:
    response = await party.authorize()

    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    # Chromium applies form-action to the redirect that answers the form, too.
    assert "form-action" not in policy
    assert "<script" not in response.text
    assert response.headers["cache-control"] == "no-store"


async def test_the_stylesheet_of_the_page_is_served(party: RelyingParty) -> None:
    response = await party.browser.get(f"{party.issuer}/static/simulator.css")

    assert response.headers["content-type"].startswith("text/css")


async def test_markup_in_parameters_is_shown_as_text(party: RelyingParty) -> None:
    response = await party.authorize(login_hint='"><script>alert(1)</script>')

    assert "<script" not in response.text
    assert "&lt;script&gt;" in response.text


async def test_a_session_answers_with_a_code_at_once(party: RelyingParty) -> None:
    await party.obtain_tokens()

    response = await party.authorize(state="second")

    assert set(redirect_query(response)) == {"code", "state"}
    assert redirect_query(response)["state"] == "second"


async def test_prompt_none_succeeds_within_a_session(party: RelyingParty) -> None:
    await party.obtain_tokens()

    assert "code" in redirect_query(await party.authorize(prompt="none"))


async def test_prompt_login_shows_the_page_within_a_session(party: RelyingParty) -> None:
    await party.obtain_tokens()

    assert (await party.authorize(prompt="login")).status_code == httpx.codes.OK


async def test_an_older_sign_on_than_max_age_allows_shows_the_page(
    party: RelyingParty, clock: Clock
) -> None:
    await party.obtain_tokens()
    clock.advance(seconds=60)

    assert "code" in redirect_query(await party.authorize(max_age="61"))
    assert (await party.authorize(max_age="60")).status_code == httpx.codes.OK
    assert redirect_query(await party.authorize(max_age="60", prompt="none"))["error"] == (
        "login_required"
    )


async def test_a_session_left_idle_for_thirty_days_is_over(
    party: RelyingParty, clock: Clock
) -> None:
    await party.obtain_tokens()

    clock.advance(days=29)
    assert "code" in redirect_query(await party.authorize())
    clock.advance(days=30)
    assert (await party.authorize()).status_code == httpx.codes.OK


async def test_a_session_cookie_counts_under_its_exact_name_and_once(party: RelyingParty) -> None:
    await party.obtain_tokens()
    value = party.browser.cookies["ST"].encode()
    party.browser.cookies.clear()
    for line, is_session in (
        (b"a=b;ST=" + value, True),
        (b"\xa0ST=" + value, False),
        (b"st=" + value, False),
        (b'ST="' + value + b'"', False),
        (b"ST=" + value + b"; ST=" + value, False),
    ):
        party.browser.headers = httpx.Headers([(b"cookie", line)])
        status = 302 if is_session else 200
        assert (await party.authorize()).status_code == status, line


async def test_no_cookie_is_parsed_by_a_library(
    party: RelyingParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_cookie_parsers(monkeypatch)
    party.browser.headers = httpx.Headers(COOKIE)
    assert (await party.authorize()).status_code == httpx.codes.OK


async def test_a_forged_session_cookie_is_no_session(party: RelyingParty) -> None:
    party.browser.cookies.set("ST", "forged", domain="localhost.local")

    assert (await party.authorize()).status_code == httpx.codes.OK
