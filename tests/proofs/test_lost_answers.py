"""kill -9 of a replica that has committed, before anybody has heard of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from login_steps import answer_of

DEADLINE_SECONDS = 15.0


@pytest.fixture
def answer_lost_with(cluster: Any) -> Callable[[Awaitable[httpx.Response]], Awaitable[bytes]]:
    """Loses the answer to a request, kills who gave it, starts it again: what it had said."""

    async def lose(request: Awaitable[httpx.Response]) -> bytes:
        losing = asyncio.ensure_future(cluster.lose_answer())
        lost = asyncio.ensure_future(request)
        async with asyncio.timeout(DEADLINE_SECONDS):
            replica, body = await losing
        await replica.kill()
        with pytest.raises(httpx.TransportError):
            await lost
        replica.start()
        await replica.ready()
        said: bytes = body
        return said

    return lose


@pytest.fixture
async def login(new_login: Any) -> Any:
    return await new_login()


async def test_an_answer_that_dies_with_its_replica_is_repeated_or_refused_clearly(
    cluster: Any, login: Any, call_tool: Any, answer_lost_with: Any, times: Any, note: Any
) -> None:
    rounds = times(1, 3)
    for _ in range(rounds):
        code = answer_of(await login.http.get(await login.come_back()))["code"]
        never_seen = json.loads(await answer_lost_with(login.exchange(code)))
        assert await login.is_active(never_seen["access_token"])
        _assert_refused(await login.exchange(code))  # a replay, for all that auth can tell
        assert not await login.is_active(never_seen["access_token"])
        _assert_refused(await login.refresh(never_seen["refresh_token"]))

        first = await login.sign_in()
        never_seen = json.loads(await answer_lost_with(login.refresh(first["refresh_token"])))
        again = (await login.refresh(first["refresh_token"])).raise_for_status().json()
        names = ("access_token", "refresh_token")
        assert [again[name] for name in names] == [never_seen[name] for name in names]
        for replica in cluster.mcp:
            assert (await call_tool(replica.url, again["access_token"])).status_code == 200

        await answer_lost_with(login.revoke(again["access_token"]))
        assert not await login.is_active(again["access_token"])
        assert (await login.revoke(again["access_token"])).status_code == 200
    note(
        10,
        "A replica of auth is killed (-9) after it committed and before its answer arrived. Code"
        " exchange: the repetition counts as a replay, `invalid_grant`, the grant is ended, the"
        " client signs in again. Refresh: the repetition gets the same handles. Revocation: the"
        " repetition is 200.",
        f"{3 * rounds} kills: {rounds} of each",
    )


@pytest.mark.long_proof
async def test_a_login_step_whose_answer_dies_with_its_replica_can_be_repeated(
    login: Any, answer_lost_with: Any, times: Any, note: Any
) -> None:
    rounds = times(1, 3)
    for _ in range(rounds):
        page = await login.authorize()
        await answer_lost_with(login.submit(page, decision="allow"))
        callback = await login.sign_on(await login.submit(page, decision="allow"))
        await answer_lost_with(login.http.get(callback))
        code = answer_of(await login.http.get(callback))["code"]
        handles = (await login.exchange(code)).raise_for_status().json()
        assert await login.is_active(handles["access_token"])
    note(
        11,
        "The same with the answer to a consent, and with the one that carries the code: the same"
        " browser repeats the request, and the login ends with a code.",
        f"{2 * rounds} kills",
    )


def _assert_refused(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
