"""Clients that publish themselves: a CLIENT_URL as client_id, and the document behind it."""

import asyncio
from datetime import timedelta

import pytest
from auth_answers import count_rows, problem_page
from auth_harness import AuthUnderTest
from published_documents import CLIENT_DOCUMENT, CLIENT_URL
from sqlalchemy import select

from auth_server.client_documents.documents import DocumentUnavailable, FetchedDocument
from auth_server.storage.tables import audit_events, clients

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FRESH = timedelta(hours=2)


@pytest.fixture
async def published(auth: AuthUnderTest) -> AuthUnderTest:
    """The server, whose client of the test is the one that publishes itself."""
    auth.published.publish_client(FRESH)
    auth.client_id = CLIENT_URL
    return auth


@pytest.mark.standard(
    "MCP 2026-07-28 authorization: Client ID Metadata Documents", "CIMD draft 4", "CIMD draft 5"
)
async def test_a_client_that_publishes_itself_signs_in_without_registration(
    published: AuthUnderTest,
) -> None:
    handles = await published.obtain_handles()
    assert await published.is_active(handles["access_token"])
    answer = (await published.introspect(handles["access_token"])).json()
    assert answer["client_id"] == CLIENT_URL
    refreshed = await published.refresh(handles["refresh_token"])
    assert refreshed.status_code == 200, refreshed.text
    assert published.published.fetched == [CLIENT_URL]


@pytest.mark.standard("CIMD draft 4.2")
async def test_a_loopback_address_without_a_port_is_matched_with_any(
    published: AuthUnderTest,
) -> None:
    for redirect_uri in ("http://localhost:51234/callback", "http://127.0.0.1:61234/callback"):
        code = await published.obtain_code(redirect_uri=redirect_uri)
        answer = await published.exchange(code, redirect_uri=redirect_uri)
        assert answer.status_code == 200, answer.text
    elsewhere = await published.authorize(
        published.new_browser(), redirect_uri="https://evil.example/callback"
    )
    problem_page(elsewhere)


@pytest.mark.standard("CIMD draft 5.2", "CIMD draft 9.1")
async def test_a_copy_serves_as_long_as_its_publisher_says_and_is_then_fetched_again(
    published: AuthUnderTest,
) -> None:
    await published.obtain_handles()
    published.clock.advance(seconds=FRESH.total_seconds() - 1)
    await published.obtain_handles()
    assert len(published.published.fetched) == 1
    published.clock.advance(seconds=2)
    await published.obtain_handles()
    assert len(published.published.fetched) == 2


@ON_SQLITE
@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (timedelta(0), timedelta(minutes=5)),
        (timedelta(days=30), timedelta(hours=24)),
        (None, timedelta(hours=1)),
    ],
)
async def test_a_copy_is_kept_within_our_own_bounds(
    auth: AuthUnderTest, told: timedelta | None, kept: timedelta
) -> None:
    auth.published.publish_client(told)
    auth.client_id = CLIENT_URL
    await auth.obtain_handles()
    auth.clock.advance(seconds=kept.total_seconds() - 1)
    await auth.obtain_code()
    assert len(auth.published.fetched) == 1
    auth.clock.advance(seconds=1)
    await auth.obtain_code()
    assert len(auth.published.fetched) == 2


@ON_SQLITE
async def test_a_browser_that_goes_away_does_not_end_the_fetch_that_it_began(
    published: AuthUnderTest,
) -> None:
    is_asked, let_go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        is_asked.set()
        await let_go.wait()

    published.published.before_answering = slow
    leaving = asyncio.create_task(published.authorize(published.new_browser()))
    async with asyncio.timeout(10):
        await is_asked.wait()
    leaving.cancel()
    await asyncio.wait([leaving])
    staying = asyncio.create_task(published.authorize(published.new_browser()))
    let_go.set()
    assert (await staying).status_code == 200
    assert published.published.fetched == [CLIENT_URL]


@pytest.mark.parametrize(
    "instead",
    [
        DocumentUnavailable("answered with status 503"),
        FetchedDocument({**CLIENT_DOCUMENT, "client_id": "https://claude.example/other"}),
        FetchedDocument({"no": "client"}),
    ],
)
async def test_the_last_good_copy_serves_on_when_there_is_nothing_better(
    published: AuthUnderTest, instead: FetchedDocument | DocumentUnavailable
) -> None:
    handles = await published.obtain_handles()
    published.published.documents[CLIENT_URL] = instead
    published.clock.advance(hours=3)
    refreshed = await published.refresh(handles["refresh_token"])
    assert refreshed.status_code == 200, refreshed.text
    await published.obtain_code()
    # It is asked for once, and again only after a pause.
    assert len(published.published.fetched) == 2
    published.clock.advance(minutes=4)
    await published.obtain_code()
    assert len(published.published.fetched) == 2
    published.clock.advance(minutes=2)
    await published.obtain_code()
    assert len(published.published.fetched) == 3


@pytest.mark.standard("CIMD draft 8.4")
async def test_what_a_client_changes_in_its_document_applies_from_then_on_and_grants_stay(
    published: AuthUnderTest,
) -> None:
    handles = await published.obtain_handles()
    published.published.publish_client(
        FRESH, redirect_uris=["https://new.example/callback"], client_name="New"
    )
    published.clock.advance(hours=3)
    browser = published.new_browser()
    problem_page(await published.authorize(browser))
    page = await published.authorize(browser, redirect_uri="https://new.example/callback")
    assert "New" in page.text
    assert (await published.refresh(handles["refresh_token"])).status_code == 200


@pytest.mark.standard("CIMD draft 5.1")
@ON_SQLITE
@pytest.mark.parametrize(
    ("document", "said"),
    [
        (DocumentUnavailable("the name leads to an address that is not public"), "fetched"),
        (FetchedDocument({**CLIENT_DOCUMENT, "client_id": "https://evil.example/x"}), "client_id"),
        (FetchedDocument({**CLIENT_DOCUMENT, "client_name": ""}), "client_name is missing"),
        (FetchedDocument({**CLIENT_DOCUMENT, "client_secret": "planted"}), "client_secret"),
        (
            FetchedDocument({**CLIENT_DOCUMENT, "redirect_uris": ["data:text/html,x"]}),
            "redirect URI",
        ),
        (
            FetchedDocument(
                {**CLIENT_DOCUMENT, "token_endpoint_auth_method": "client_secret_post"}
            ),
            "token_endpoint_auth_method",
        ),
    ],
)
async def test_without_a_usable_document_the_authorization_ends_on_a_page(
    auth: AuthUnderTest, document: FetchedDocument | DocumentUnavailable, said: str
) -> None:
    auth.published.documents[CLIENT_URL] = document
    response = await auth.authorize(auth.new_browser(), client_id=CLIENT_URL)
    html = problem_page(response, 401)
    assert said in html
    # Why a host cannot be reached is for the log: strangers would learn what we can reach.
    assert "not public" not in html
    assert "planted" not in html
    assert await count_rows(auth, clients) == 1


@ON_SQLITE
async def test_what_failed_is_not_asked_for_again_within_a_minute(auth: AuthUnderTest) -> None:
    for _ in range(3):
        problem_page(await auth.authorize(auth.new_browser(), client_id=CLIENT_URL), 401)
    assert auth.published.fetched == [CLIENT_URL]
    auth.published.publish_client(FRESH)
    auth.clock.advance(seconds=61)
    await auth.obtain_code(client_id=CLIENT_URL)
    assert auth.published.fetched == [CLIENT_URL, CLIENT_URL]


async def test_a_new_client_is_recorded_once_and_a_new_copy_is_not(
    published: AuthUnderTest,
) -> None:
    await published.obtain_handles()
    published.clock.advance(hours=3)
    await published.obtain_handles()
    async with published.resources.database.reading_connection() as connection:
        events = await connection.execute(
            select(audit_events.c.event).where(
                audit_events.c.client_id == CLIENT_URL, audit_events.c.event == "client_registered"
            )
        )
        assert len(events.all()) == 1
