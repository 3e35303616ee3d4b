"""kill -9 of a replica in the middle of something: it can be repeated, or says what to do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from login_steps import answer_of
from proof_load import Load

PEOPLE = 6
DEADLINE_SECONDS = 15.0


@pytest.fixture
def stands_still(cluster: Any, database: Any) -> Any:
    """Inside it whoever wants to change a table stands still; gives what waits for somebody."""

    @asynccontextmanager
    async def stop(table: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        async def until_somebody_waits() -> None:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not await database.fetchval(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::regclass",
                    table,
                ):
                    pass

        blocker = await asyncpg.connect(cluster.asyncpg_dsn)
        transaction = blocker.transaction()
        await transaction.start()
        try:
            await blocker.execute(f"LOCK TABLE {table} IN SHARE MODE")
            yield until_somebody_waits
        finally:
            await transaction.rollback()
            await blocker.close()

    return stop


@pytest.fixture
def killed_while(stands_still: Any) -> Any:
    """Kills a replica while it changes a table for a request, and starts it again."""

    async def kill(replica: Any, table: str, request: Awaitable[httpx.Response]) -> None:
        await replica.ready()  # it may have been killed a moment ago
        async with stands_still(table) as until_somebody_waits:
            lost = asyncio.ensure_future(request)
            await until_somebody_waits()
            await replica.kill()
            with pytest.raises(httpx.TransportError):
                await lost
        replica.start()

    return kill


@pytest.fixture
async def all_ready(cluster: Any) -> AsyncIterator[None]:
    yield
    for replica in cluster.auth:
        await replica.ready()


@pytest.mark.usefixtures("all_ready")
async def test_what_a_killed_replica_was_doing_can_be_repeated_at_another(
    cluster: Any, new_login: Any, killed_while: Any, call_tool: Any, times: Any, note: Any
) -> None:
    rounds = times(1, 5)
    for _ in range(rounds):
        one, two, three = cluster.auth
        await one.ready()
        login = await new_login(one.url)
        page = await login.authorize()
        consent = login.submit(page, decision="allow")
        await killed_while(one, "authorizations", consent)

        # The form is sent again, to another replica: its URL is made of the page's.
        await two.ready()
        login.issuer = two.url
        elsewhere = httpx.Response(
            200, text=page.text.replace(one.url, two.url), request=_moved(page, two.url)
        )
        callback = await login.sign_on(await login.submit(elsewhere, decision="allow"))
        code = answer_of(await login.http.get(callback))["code"]

        await killed_while(two, "codes", login.exchange(code))
        await three.ready()
        login.issuer = three.url
        handles = (await login.exchange(code)).raise_for_status().json()

        await killed_while(three, "refresh_handles", login.refresh(handles["refresh_token"]))
        await one.ready()
        login.issuer = one.url
        handles = (await login.refresh(handles["refresh_token"])).raise_for_status().json()
        for replica in cluster.mcp:
            assert (await call_tool(replica.url, handles["access_token"])).status_code == 200

        await killed_while(one, "grants", login.revoke(handles["access_token"]))
        await two.ready()
        login.issuer, login.internal = two.url, two.internal
        assert await login.is_active(handles["access_token"])  # it was not acknowledged, either
        assert (await login.revoke(handles["access_token"])).status_code == 200
        assert not await login.is_active(handles["access_token"])
    note(
        9,
        "A replica of auth is killed (-9) in the middle of consent, code exchange, refresh and"
        " revocation, with the statement under way: the same request succeeds at another one.",
        f"{4 * rounds} kills, {4 * rounds} repetitions that succeeded",
    )


@pytest.mark.usefixtures("all_ready")
async def test_a_login_whose_replica_is_killed_on_its_way_back_tells_the_client(
    cluster: Any, new_login: Any, pingone: Any, times: Any, note: Any
) -> None:
    rounds = times(1, 5)
    for number in range(rounds):
        victim = cluster.auth[number % len(cluster.auth)]
        for replica in cluster.auth:
            await replica.ready()
        login = await new_login()
        callback = await login.come_back()
        await pingone.fault(
            kind="hold", endpoint="token", grant_type="authorization_code", times=1, when="after"
        )
        lost = asyncio.create_task(login.http.get(callback.replace(login.issuer, victim.url)))
        await pingone.until_held()
        await victim.kill()
        await pingone.release(drop=True)
        with pytest.raises(httpx.TransportError):
            await lost
        victim.start()
        # Each repetition waits for five seconds, until the killed one cannot be alive any more.
        while (page := await login.http.get(callback)).status_code == 503:
            assert page.headers["refresh"]
        assert answer_of(page)["error"] == "server_error"
        assert await login.is_active((await login.sign_in())["access_token"])
    note(
        12,
        "A replica is killed (-9) while PingOne redeems the code of a login for it: the browser"
        " waits on a page that loads itself again, then the client is told `server_error`, and the"
        " next login works.",
        f"{rounds} kills",
    )


@pytest.mark.long_proof
@pytest.mark.usefixtures("all_ready")
async def test_nobody_is_signed_out_by_replicas_that_are_killed_at_any_moment(
    cluster: Any, sign_in: Any, call_tool: Any, times: Any, note: Any
) -> None:
    people = [await sign_in() for _ in range(PEOPLE)]
    kills = times(2, 9)
    async with Load(people, cluster.mcp_address, call_tool) as load:
        for number in range(kills):
            victim = cluster.auth[number % len(cluster.auth)]
            await victim.kill()
            await load.go_on(PEOPLE)
            victim.start()
            await victim.ready()
            await load.go_on(PEOPLE)
    assert load.problems == []
    assert set(load.answers) <= {200, 503}
    note(
        13,
        "Replicas of auth are killed (-9) one after the other while people refresh and call tools:"
        " whoever repeats a request goes on, nobody is signed out.",
        f"{kills} kills; {load.summary()}",
    )


def _moved(page: httpx.Response, url: str) -> httpx.Request:
    return httpx.Request("GET", page.request.url.copy_with(port=httpx.URL(url).port))
