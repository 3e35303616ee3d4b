"""Documents that many ask for at once: one fetch each, a bound for all, and nobody else waits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import httpx
import pytest
from auth_answers import count_rows, problem_page
from auth_back_channel import refusal, replica_of
from auth_harness import AuthUnderTest, redirect_query
from published_documents import CLIENT_URL

from auth_server.storage.tables import audit_events

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Held:
    """Holds the web's answers back, and tells when so many questions are there."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self._waiting = 0
        self._changed = asyncio.Condition()

    async def __call__(self) -> None:
        async with self._changed:
            self._waiting += 1
            self._changed.notify_all()
        await self.let_go.wait()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self._waiting >= count)


@pytest.fixture
async def held(auth: AuthUnderTest) -> AsyncIterator[Held]:
    held = Held()
    auth.published.before_answering = held
    yield held
    held.let_go.set()


def ask(
    auth: AuthUnderTest, urls: Sequence[str], fresh_for: timedelta | None = None
) -> list[asyncio.Task[httpx.Response]]:
    """Send a browser for each to /authorize; what is asked for is published."""
    for url in urls:
        auth.published.publish_client(fresh_for, client_id=url)
    return [asyncio.create_task(auth.authorize(auth.new_browser(), client_id=url)) for url in urls]


async def test_a_document_is_fetched_once_however_many_ask_at_once(
    auth: AuthUnderTest, held: Held
) -> None:
    asking = ask(auth, [CLIENT_URL] * 20)
    await held.until(1)
    asking.pop().cancel()  # a browser that goes away takes nothing from the others
    held.let_go.set()
    pages = await asyncio.gather(*asking)
    assert {page.status_code for page in pages} == {200}
    assert auth.published.fetched == [CLIENT_URL]


@ON_SQLITE
async def test_a_flood_of_urls_opens_so_many_connections_and_no_more(
    auth: AuthUnderTest, held: Held
) -> None:
    first = ask(auth, [f"https://h{number}.example/client" for number in range(24)])
    await held.until(24)
    refused = await asyncio.gather(*ask(auth, [CLIENT_URL, "https://h0.example/other"]))
    for response in refused:
        assert "too many applications" in problem_page(response, 503)
    # Who is known already does not suffer, and no connection to the database is held.
    assert (await auth.authorize(auth.new_browser())).status_code == 200
    held.let_go.set()
    assert {page.status_code for page in await asyncio.gather(*first)} == {200}
    assert len(auth.published.fetched) == 24
    assert [page.status_code for page in await asyncio.gather(*ask(auth, [CLIENT_URL]))] == [200]


@ON_SQLITE
async def test_one_host_gets_few_requests_at_once(auth: AuthUnderTest, held: Held) -> None:
    first = ask(auth, [f"https://victim.example/{number}" for number in range(4)])
    await held.until(4)
    [refused] = await asyncio.gather(*ask(auth, ["https://victim.example/5"]))
    problem_page(refused, 503)
    other = ask(auth, ["https://other.example/1"])
    await held.until(5)
    held.let_go.set()
    pages = await asyncio.gather(*first, *other)
    assert {page.status_code for page in pages} == {200}
    assert [page.status_code for page in await asyncio.gather(*ask(auth, [CLIENT_URL]))] == [200]


async def test_what_a_publisher_withdraws_ends_though_strangers_keep_its_host_busy(
    auth: AuthUnderTest, held: Held
) -> None:
    auth.published.before_answering = None
    auth.published.publish_client()
    auth.client_id = CLIENT_URL
    await auth.obtain_handles()
    auth.published.publish_client(redirect_uris=["https://new.example/callback"])
    auth.clock.advance(days=2)
    auth.published.before_answering = held
    same_host = [f"https://claude.example/{number}" for number in range(4)]
    flood = ask(auth, [*same_host, *(f"https://h{number}.example/" for number in range(20))])
    await held.until(24)
    auth.published.before_answering = None
    browser = auth.new_browser()
    problem_page(await auth.authorize(browser))
    page = await auth.authorize(browser, redirect_uri="https://new.example/callback")
    assert page.status_code == 200
    held.let_go.set()
    await asyncio.gather(*flood)


@ON_SQLITE
async def test_copies_that_nobody_has_signed_on_with_take_no_place_from_those_in_use(
    auth: AuthUnderTest, held: Held
) -> None:
    auth.published.before_answering = None
    auth.client_id = CLIENT_URL
    strangers = [f"https://h{number}.example/client" for number in range(24)]
    five_minutes = timedelta(minutes=5)
    await asyncio.gather(*ask(auth, [*strangers, CLIENT_URL], five_minutes))
    await auth.obtain_handles()
    auth.clock.advance(minutes=10)
    auth.published.before_answering = held
    flood = ask(auth, strangers)
    await held.until(24)
    auth.published.before_answering = None
    [newcomer] = await asyncio.gather(*ask(auth, ["https://new.example/client"]))
    problem_page(newcomer, 503)
    auth.published.publish_client(client_name="Changed")
    assert "Changed" in (await auth.authorize(auth.new_browser())).text
    held.let_go.set()
    assert {page.status_code for page in await asyncio.gather(*flood)} == {200}


async def test_who_has_a_copy_is_served_while_too_many_others_are_fetched(
    auth: AuthUnderTest, held: Held
) -> None:
    auth.published.before_answering = None
    used = [f"https://victim.example/{number}" for number in range(8)]
    handles = {}
    for url in (*used, CLIENT_URL):
        auth.published.publish_client(client_id=url)
        auth.client_id = url
        handles = await auth.obtain_handles()
    auth.clock.advance(days=2)
    auth.published.before_answering = held
    asking = ask(auth, used)
    await held.until(8)
    auth.published.fetched.clear()
    async with asyncio.timeout(10):
        refreshed = await auth.refresh(handles["refresh_token"])
    assert refreshed.status_code == 200, refreshed.text
    assert auth.published.fetched == []
    # Copies that are refreshed take no place from newcomers, either.
    auth.published.before_answering = None
    new = ask(auth, ["https://victim.example/new"])
    assert [page.status_code for page in await asyncio.gather(*new)] == [200]
    held.let_go.set()
    assert {page.status_code for page in await asyncio.gather(*asking)} == {200}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_two_replicas_that_meet_a_client_at_once_both_serve_it(
    auth: AuthUnderTest, held: Held
) -> None:
    async with replica_of(auth) as other:
        asking = [*ask(auth, [CLIENT_URL]), *ask(other, [CLIENT_URL])]
        await held.until(2)
        held.let_go.set()
        pages = await asyncio.gather(*asking)
        assert {page.status_code for page in pages} == {200}
        code = await auth.obtain_code(client_id=CLIENT_URL)
        answer = await other.exchange(code, client_id=CLIENT_URL)
        assert answer.status_code == 200, answer.text


async def test_at_the_ceiling_each_client_makes_room_for_those_that_came_as_it_did(
    auth: AuthUnderTest,
) -> None:
    """Who needs no token to publish itself would push out who needed one to register."""
    registered, published = [auth.client_id], []
    async with replica_of(auth, auth_client_ceiling=3) as full:
        for number in range(8):
            full.clock.advance(seconds=1)
            if number in {1, 2, 6}:
                registered.append((await full.register())["client_id"])
                continue
            published.append(f"https://h{number}.example/client")
            [page] = await asyncio.gather(*ask(full, published[-1:]))
            assert page.status_code == 200
        async with full.resources.database.reading() as read:
            kept = {one.client.client_id for one in await read.clients.newest(limit=10)}
        assert kept == {*registered[1:], *published[2:]}


async def test_a_url_at_the_token_endpoint_makes_nobody_fetch_or_store_anything(
    auth: AuthUnderTest,
) -> None:
    before = await count_rows(auth, audit_events)
    auth.published.publish_client()
    for path in ("/token", "/revoke"):
        form = {"client_id": CLIENT_URL, "grant_type": "refresh_token", "token": "nothing"}
        answer = await auth.anyone.post(path, data=form)
        assert refusal(answer, 401) == "invalid_client"
    assert auth.published.fetched == []
    assert await count_rows(auth, audit_events) == before
    # The authorization endpoint, to which a person has come, is where a client becomes known.
    auth.client_id = CLIENT_URL
    handles = await auth.obtain_handles()
    assert (await auth.refresh(handles["refresh_token"])).status_code == 200


async def test_a_client_that_made_room_while_somebody_signed_in_redeems_its_code_all_the_same(
    auth: AuthUnderTest,
) -> None:
    auth.published.publish_client()
    async with replica_of(auth, auth_client_ceiling=1) as full:
        full.client_id = CLIENT_URL
        browser = full.new_browser()
        page = await full.authorize(browser)
        full.clock.advance(seconds=1)
        other = "https://other.example/client"
        assert [page.status_code for page in await asyncio.gather(*ask(full, [other]))] == [200]
        returned = await full.sign_on(browser, await full.decide(browser, page))
        code = redirect_query(await full.back(browser, returned))["code"]
        answer = await full.exchange(code)
        assert answer.status_code == 200, answer.text
        assert auth.published.fetched == [CLIENT_URL, other, CLIENT_URL]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_who_waits_to_store_a_copy_holds_no_row_that_others_wait_for(
    auth: AuthUnderTest,
) -> None:
    """Two that made room by each other's rows, and waited for them then, would be a deadlock."""
    made_room = "https://other.example/client"
    pages = await asyncio.gather(*ask(auth, [made_room, CLIENT_URL]))
    assert {page.status_code for page in pages} == {200}
    auth.clock.advance(hours=2)
    database, now = auth.resources.database, auth.clock()
    async with replica_of(auth, auth_client_ceiling=1) as full:
        async with database.transaction() as tx, asyncio.timeout(10):
            await tx.clients.postpone_document(CLIENT_URL, fresh_until=now)
            [asking] = ask(full, [CLIENT_URL])
            async with database.reading() as read:
                while await read.clients.record(made_room) is not None:
                    assert not asking.done()
        assert (await asking).status_code == 200
