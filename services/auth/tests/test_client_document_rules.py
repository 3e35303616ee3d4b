"""What an operator decides about clients that publish themselves."""

import json
from datetime import timedelta

import pytest
from auth_answers import problem_page
from auth_back_channel import refusal, replica_of
from auth_commands import Commands
from auth_harness import REDIRECT_URI, AuthUnderTest, auth_under_test
from published_documents import CLIENT_DOCUMENT, CLIENT_URL

from auth_server.flows.sweep_expired import SweepExpired
from auth_server.settings.clients import ClientSettings

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FRESH = timedelta(hours=2)
OTHER_URL = "https://other.example/client"


@pytest.fixture
async def published(auth: AuthUnderTest) -> AuthUnderTest:
    """The server, whose client of the test is the one that publishes itself."""
    auth.published.publish_client(FRESH)
    auth.client_id = CLIENT_URL
    return auth


@ON_SQLITE
async def test_documents_can_be_turned_off(database_url: str) -> None:
    async with auth_under_test(database_url, auth_client_documents=False) as auth:
        auth.published.publish_client(FRESH)
        problem_page(await auth.authorize(auth.new_browser(), client_id=CLIENT_URL), 401)
        assert auth.published.fetched == []
        metadata = await auth.anyone.get("/.well-known/oauth-authorization-server")
        assert "client_id_metadata_document_supported" not in metadata.json()


@pytest.mark.standard("CIMD draft 8.9")
@pytest.mark.parametrize(
    "rules",
    [
        {"auth_client_document_hosts": "other.example *.claude.example"},
        {"auth_client_document_denied_hosts": "claude.example"},
    ],
)
async def test_a_host_that_the_operator_rules_out_is_not_asked_and_its_clients_end(
    published: AuthUnderTest, rules: dict[str, str]
) -> None:
    handles = await published.obtain_handles()
    async with replica_of(published, **rules) as strict:
        problem_page(await strict.authorize(strict.new_browser()), 401)
        assert refusal(await strict.refresh(handles["refresh_token"]), 401) == "invalid_client"
    assert len(published.published.fetched) == 1


@pytest.mark.standard("CIMD draft 7.2")
async def test_a_pinned_copy_comes_first_and_is_never_fetched(auth: AuthUnderTest) -> None:
    auth.published.publish_client(FRESH, client_name="Not this one")
    pinned = json.dumps([{**CLIENT_DOCUMENT, "redirect_uris": [REDIRECT_URI]}])
    async with replica_of(auth, auth_clients=pinned, auth_client_documents=False) as other:
        page = await other.authorize(other.new_browser(), client_id=CLIENT_URL)
        assert "Claude Code" in page.text
        code = await other.obtain_code(client_id=CLIENT_URL)
        assert (await other.exchange(code, client_id=CLIENT_URL)).status_code == 200
    assert auth.published.fetched == []


@pytest.fixture
def run(auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(auth, monkeypatch)


async def sweep(auth: AuthUnderTest) -> None:
    resources = auth.resources
    await SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )()


async def test_a_disabled_client_is_neither_fetched_nor_swept_nor_known_again(
    published: AuthUnderTest, run: Commands
) -> None:
    handles = await published.obtain_handles()
    await run.text("clients", "disable", CLIENT_URL, "--yes", "--reason", "phishing")
    assert not await published.is_active(handles["access_token"])
    assert refusal(await published.refresh(handles["refresh_token"]), 401) == "invalid_client"
    published.clock.advance(days=3000)
    await sweep(published)
    async with replica_of(published, auth_client_ceiling=1) as full:
        full.published.publish_client(client_id=OTHER_URL)
        page = await full.authorize(full.new_browser(), client_id=OTHER_URL)
        assert page.status_code == 200
        problem_page(await full.authorize(full.new_browser()), 401)
    problem_page(await published.authorize(published.new_browser()), 401)
    assert published.published.fetched == [CLIENT_URL, OTHER_URL]
    await run.text("clients", "enable", CLIENT_URL)
    await published.obtain_code()
    assert published.published.fetched == [CLIENT_URL, OTHER_URL, CLIENT_URL]


async def test_a_client_that_is_disabled_while_it_is_fetched_stays_disabled(
    published: AuthUnderTest, run: Commands
) -> None:
    await published.obtain_handles()
    published.clock.advance(hours=3)

    async def disable() -> None:
        await run.text("clients", "disable", CLIENT_URL, "--yes")

    published.published.before_answering = disable
    published.published.publish_client(FRESH, client_name="Changed")
    problem_page(await published.authorize(published.new_browser()), 401)
    [shown] = await run.json("clients", "show", CLIENT_URL)
    assert (shown["state"], shown["client_name"]) == ("disabled", "Claude Code")


async def test_an_operator_sees_where_the_client_comes_from(
    published: AuthUnderTest, run: Commands
) -> None:
    await published.obtain_handles()
    [shown] = await run.json("clients", "show", CLIENT_URL)
    assert shown["origin"] == "metadata_document"
    assert shown["fresh_until"] == "2026-11-02T11:30:00.000000Z"
    assert shown["active_grants"] == 1
    listed = await run.text("clients", "list")
    assert f"{CLIENT_URL}\tactive\tClaude Code\tmetadata_document" in listed


async def test_it_cannot_be_deleted_for_it_would_come_again(
    published: AuthUnderTest, run: Commands
) -> None:
    handles = await published.obtain_handles()
    result = await run("clients", "delete", CLIENT_URL, "--yes")
    assert result.exit_code == 1
    assert "auth clients disable" in " ".join(result.stderr.split())
    assert "AUTH_CLIENT_DOCUMENT_DENIED_HOSTS" in result.stderr
    assert await published.is_active(handles["access_token"])


async def test_an_unused_one_is_swept_after_an_hour_and_a_used_one_stays(
    published: AuthUnderTest,
) -> None:
    await published.obtain_handles()
    unused = "https://unused.example/client"
    published.published.publish_client(client_id=unused)
    await published.authorize(published.new_browser(), client_id=unused)
    published.clock.advance(hours=2)
    await sweep(published)
    async with published.resources.database.reading() as read:
        assert await read.clients.record(unused) is None
        assert await read.clients.record(CLIENT_URL) is not None


@pytest.mark.parametrize(
    "changes", [{"client_name": ""}, {"client_secret": "s" * 30}, {"redirect_uris": ["data:x"]}]
)
def test_a_pinned_copy_that_is_no_document_refuses_to_start(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="AUTH_CLIENTS, client 1"):
        ClientSettings(
            auth_encryption_keys="k1:" + "A" * 43 + "=",
            auth_clients=json.dumps([{**CLIENT_DOCUMENT, **changes}]),
        )
