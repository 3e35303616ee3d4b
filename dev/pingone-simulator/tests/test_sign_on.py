"""The sign-on form: names that other tests rely on, right and wrong passwords, and Cancel."""

import httpx

from pingone_simulator.testing import Clock, RelyingParty, Start, redirect_query


async def test_the_form_has_the_names_that_tests_of_other_services_rely_on(
    party: RelyingParty,
) -> None:
    page = (await party.authorize()).text

    assert f'action="{party.issuer}/sign-on"' in page
    for name in (
        'name="username"',
        'name="password"',
        'name="action" value="sign_on"',
        'name="action" value="cancel"',
    ):
        assert name in page


async def test_signing_on_returns_to_the_client_with_code_and_state(party: RelyingParty) -> None:
    response = await party.submit(await party.authorize())

    assert response.status_code == httpx.codes.SEE_OTHER
    assert response.headers["location"].startswith(f"{party.settings.redirect_uris[0]}?")
    assert set(redirect_query(response)) == {"code", "state"}
    assert redirect_query(response)["state"] == "the-state"


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_of_other_services(
    party: RelyingParty,
) -> None:
    response = await party.submit(await party.authorize())

    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert f"path={party.settings.issuer_path}" in cookie


async def test_the_session_cookie_is_not_the_sid_that_tokens_publish(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens()
    described = (await party.post("introspect", token=tokens["access_token"])).json()

    party.browser.cookies.clear()
    party.browser.cookies.set("ST", described["sid"], domain="localhost.local")

    assert (await party.authorize()).status_code == httpx.codes.OK


async def test_a_wrong_password_shows_the_page_again_with_a_message(party: RelyingParty) -> None:
    response = await party.submit(await party.authorize(), password="wrong")

    assert response.status_code == httpx.codes.OK
    assert "Incorrect username or password" in response.text
    assert 'value="alice"' in response.text
    assert "wrong" not in response.text
    assert "set-cookie" not in response.headers


async def test_an_unknown_person_is_refused_like_a_wrong_password(party: RelyingParty) -> None:
    wrong_password = await party.submit(await party.authorize(), password="wrong")
    unknown_person = await party.submit(await party.authorize(), username="mallory")

    assert "Incorrect username or password" in wrong_password.text
    assert "Incorrect username or password" in unknown_person.text


async def test_an_empty_password_is_refused(party: RelyingParty) -> None:
    response = await party.submit(await party.authorize(), password=None)

    assert "Incorrect username or password" in response.text


async def test_the_page_shown_again_still_leads_to_the_client(party: RelyingParty) -> None:
    again = await party.submit(await party.authorize(), password="wrong")

    assert "code" in redirect_query(await party.submit(again))


async def test_cancel_tells_the_client_that_access_was_denied(party: RelyingParty) -> None:
    response = await party.submit(
        await party.authorize(), action="cancel", username=None, password=None
    )

    assert redirect_query(response)["error"] == "access_denied"
    assert redirect_query(response)["state"] == "the-state"
    assert "set-cookie" not in response.headers


async def test_a_forged_authorization_request_ends_on_a_page(party: RelyingParty) -> None:
    response = await party.submit(
        await party.authorize(), authorization_request="eyJyZWRpcmVjdCI6ICJldmlsIn0.forged"
    )

    assert response.status_code == httpx.codes.BAD_REQUEST
    assert response.headers["content-type"].startswith("text/html")


async def test_a_page_of_another_simulator_ends_on_a_page(
    party: RelyingParty, start: Start
) -> None:
    other = start()

    response = await party.submit(await other.authorize())

    assert response.status_code == httpx.codes.BAD_REQUEST


async def test_a_page_left_open_for_half_an_hour_has_expired(
    party: RelyingParty, clock: Clock
) -> None:
    page = await party.authorize()
    clock.advance(minutes=30)
    assert "code" in redirect_query(await party.submit(page))

    clock.advance(seconds=1)
    assert (await party.submit(page)).status_code == httpx.codes.BAD_REQUEST


async def test_an_unknown_action_ends_on_a_page(party: RelyingParty) -> None:
    response = await party.submit(await party.authorize(), action="transfer")

    assert response.status_code == httpx.codes.BAD_REQUEST


async def test_a_form_in_another_media_type_ends_on_a_page(party: RelyingParty) -> None:
    response = await party.browser.post(f"{party.issuer}/sign-on", json={"action": "sign_on"})

    assert response.status_code == httpx.codes.BAD_REQUEST


async def test_an_oversized_form_is_refused_with_413(party: RelyingParty) -> None:
    response = await party.browser.post(f"{party.issuer}/sign-on", data={"a": "b" * 70_000})

    assert response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
