"""What people see of an app that publishes itself: which website vouches for it, and how far."""

from typing import Any

import pytest
from account_steps import Page, look, sign_in
from auth_harness import AuthUnderTest
from published_documents import CLIENT_URL

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CALLBACK = "https://app.claude.example/callback"


async def consent_text(auth: AuthUnderTest, client_id: str = CLIENT_URL, **changes: Any) -> str:
    auth.published.publish_client(client_id=client_id, redirect_uris=[CALLBACK], **changes)
    page = await auth.authorize(auth.new_browser(), client_id=client_id, redirect_uri=CALLBACK)
    assert page.status_code == 200, page.text[:500]
    return Page(page.text).text


@pytest.mark.standard("MCP 2026-07-28 authorization: client host", "CIMD draft 8.5")
async def test_the_page_shows_the_host_of_the_client_id_first_and_the_name_as_the_apps_own(
    auth: AuthUnderTest,
) -> None:
    text = await consent_text(auth)
    assert (
        "Who asks claude.example An app that this website publishes."
        " Not verified The app calls itself Claude Code." in text
    )
    assert "Where your browser goes app.claude.example A website" in text
    # It says so itself, and it is proven already.
    assert "It says its website is" not in text
    assert CLIENT_URL in text


async def test_a_name_of_somebody_elses_does_not_hide_the_host(auth: AuthUnderTest) -> None:
    text = await consent_text(
        auth,
        "https://login.claude.example.evil.example/client",
        client_name="claude.example",
        client_uri="https://claude.example",
    )
    assert "Who asks login.claude.example.evil.example An app that this website" in text
    assert "The app calls itself claude.example." in text
    assert "It says its website is claude.example." in text


async def test_of_an_app_on_this_computer_the_page_says_that_any_program_can_be_it(
    auth: AuthUnderTest,
) -> None:
    auth.published.publish_client()
    page = await auth.authorize(auth.new_browser(), client_id=CLIENT_URL)
    text = Page(page.text).text
    assert (
        "claude.example It says that it is an app which this website publishes."
        " Any program can say that." in text
    )
    assert "Any program on this computer can listen there." in text


@pytest.mark.standard("CIMD draft 7.1")
async def test_a_registered_client_is_vouched_for_by_no_website(auth: AuthUnderTest) -> None:
    assert not auth.client_id.startswith("https:")
    page = await auth.authorize(auth.new_browser())
    assert "this website publishes" not in Page(page.text).text


async def test_the_account_page_names_the_host_too(auth: AuthUnderTest) -> None:
    auth.published.publish_client()
    auth.client_id = CLIENT_URL
    await auth.obtain_handles()
    page = await look(await sign_in(auth, auth.new_browser()))
    assert page.apps == ["Claude Code"]
    assert "It presented itself as an app of claude.example. Not verified" in page.text
