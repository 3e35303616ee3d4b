"""Each fault of PingOne, with its token alive and expired: an outage is never "inactive"."""

import asyncio
import time
from typing import Any

import pytest
from login_steps import answer_of
from proof_report import latencies

REFRESH = {"endpoint": "token", "grant_type": "refresh_token"}
ALIVE_SECONDS, EXPIRED_SECONDS = 120, 5
# What PingOne can do to a refresh without having declared the tokens dead.
OUTAGES: dict[str, dict[str, Any]] = {
    "500": {"kind": "error", "status": 500},
    "502 after the work": {"kind": "error", "status": 502, "when": "after"},
    "503": {"kind": "error", "status": 503, "retry_after": 2},
    "429": {"kind": "error", "status": 429, "retry_after": 2},
    "a reset": {"kind": "reset"},
    "a reset after the work": {"kind": "reset", "when": "after"},
    "no answer": {"kind": "hold"},
}
# A client waits for 8 s until it is told that PingOne does not answer.
QUICK_OUTAGES = [name for name in OUTAGES if name != "no answer"]
LONG = pytest.mark.long_proof
DEATHS = ("sign-off", "revoke-refresh-tokens")


@pytest.mark.parametrize("name", OUTAGES)
async def test_while_pingones_token_lives_an_outage_is_not_noticed(
    cluster: Any,
    sign_in: Any,
    pingone: Any,
    call_tool: Any,
    introspect: Any,
    name: str,
    report: Any,
) -> None:
    person = await _signed_in_with(pingone, sign_in, ALIVE_SECONDS)
    await pingone.fault(**OUTAGES[name], sid=person.sid, **REFRESH)
    for replica in cluster.auth:
        answer = await introspect(replica, person.access)
        assert answer.status_code == 200, answer.text
        assert answer.json()["active"] is True
    for replica in cluster.mcp:
        assert (await call_tool(replica.url, person.access)).status_code == 200
    report.note(
        13,
        "Whatever PingOne does to a refresh while its token lives, nobody notices.",
        name,
    )


@pytest.mark.parametrize("name", [*QUICK_OUTAGES, pytest.param("no answer", marks=LONG)])
async def test_once_pingones_token_has_expired_an_outage_is_503_and_ends_nothing(
    cluster: Any,
    sign_in: Any,
    pingone: Any,
    call_tool: Any,
    introspect: Any,
    lapse_lease: Any,
    name: str,
    report: Any,
) -> None:
    # With a grace at PingOne nothing is lost, even if it had carried the refresh out.
    await pingone.policy(refresh_grace_seconds=60)
    person = await _signed_in_with(pingone, sign_in, EXPIRED_SECONDS)
    await pingone.fault(**OUTAGES[name], sid=person.sid, **REFRESH)
    asked = [introspect(replica, person.access) for replica in cluster.auth]
    called = [call_tool(replica.url, person.access) for replica in cluster.mcp]
    for answer in await asyncio.gather(*asked, *called):
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["retry-after"]) > 0
    # The client's own tokens have nothing to do with it.
    renewed = await person.login.refresh(person.refresh)
    assert renewed.status_code == 200, renewed.text

    await pingone.no_faults()
    await _until_active(introspect, lapse_lease, cluster.auth[0], person)
    for replica in cluster.mcp:
        assert (await call_tool(replica.url, person.access)).status_code == 200
    assert (await pingone.family(person.sid))["is_live"]
    report.note(
        14,
        "Once PingOne's token has expired, it is 503 with Retry-After at all replicas of auth and"
        " mcp, `/token` goes on, and when PingOne is back so is everybody.",
        name,
    )


@pytest.mark.parametrize("act", DEATHS)
async def test_tokens_that_pingone_calls_dead_end_the_grant_and_a_new_sign_in_works(
    cluster: Any,
    sign_in: Any,
    pingone: Any,
    call_tool: Any,
    introspect: Any,
    until_refused: Any,
    act: str,
) -> None:
    person = await _signed_in_with(pingone, sign_in, EXPIRED_SECONDS, username="bob")
    await pingone.act(f"/people/bob/{act}")
    answers = await asyncio.gather(
        *(introspect(replica, person.access) for replica in cluster.auth)
    )
    assert [answer.json() for answer in answers] == [{"active": False}] * len(answers)
    for replica in cluster.mcp:
        await until_refused(replica.url, person.access)
    refused = await person.login.refresh(person.refresh)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    again = await person.login.sign_in()
    assert (await call_tool(cluster.mcp[0].url, again["access_token"])).status_code == 200


async def test_a_wrong_nonce_ends_the_login_and_the_next_one_works(
    new_login: Any, pingone: Any
) -> None:
    login = await new_login()
    await pingone.fault(kind="wrong_nonce", times=1)
    answer = answer_of(await login.http.get(await login.come_back()))
    assert "code" not in answer
    assert answer["error"] == "server_error"
    assert await login.is_active((await login.sign_in())["access_token"])


@pytest.fixture
async def keys_are_known_afterwards(cluster: Any, new_login: Any, eventually: Any) -> Any:
    """The proofs that follow find replicas that know the newest key."""
    yield
    for replica in cluster.auth:
        login = await new_login(replica.url)

        async def is_served(login: Any = login, replica: Any = replica) -> bool:
            callback = await login.come_back()
            answer = await login.http.get(callback.replace(cluster.issuer, replica.url))
            return "code" in answer_of(answer)

        await eventually(is_served, seconds=60)


@pytest.mark.long_proof
@pytest.mark.usefixtures("keys_are_known_afterwards")
async def test_a_key_that_is_too_new_to_be_known_is_an_outage_and_ends_nothing(
    cluster: Any,
    sign_in: Any,
    pingone: Any,
    call_tool: Any,
    introspect: Any,
    eventually: Any,
    report: Any,
) -> None:
    replica, mcp = cluster.auth[0], cluster.mcp[0]
    await pingone.policy(access_token_seconds=EXPIRED_SECONDS)
    person = await sign_in()
    # Everybody fetches the keys now, and does not again for a while.
    await pingone.act("/signing-key", {"keep_old": True})

    async def is_known() -> bool:
        asked, called = await asyncio.gather(
            introspect(replica, person.access), call_tool(mcp.url, person.access)
        )
        for answer in (asked, called):
            assert answer.status_code in {200, 503}, answer.text
        return (asked.status_code, called.status_code) == (200, 200)

    first = await eventually(is_known, seconds=60)
    await pingone.policy(access_token_seconds=3600)
    await pingone.act("/signing-key", {"keep_old": False})
    second = await eventually(is_known, seconds=60)
    assert (await introspect(replica, person.access)).json()["active"] is True
    report.note(
        15,
        "PingOne rotates its signing key twice in a row: a token whose key is too new to be known"
        " is 503 until the keys may be fetched again, and ends nothing.",
        f"served again {first:.0f} s after the first and {second:.0f} s after the second",
    )


@pytest.mark.long_proof
async def test_a_slow_pingone_for_one_grant_does_not_slow_the_tokens_of_others(
    cluster: Any, sign_in: Any, pingone: Any, introspect: Any, times: Any, report: Any
) -> None:
    slow = await _signed_in_with(pingone, sign_in, EXPIRED_SECONDS)
    others = [await sign_in(username="bob") for _ in range(3)]
    await pingone.fault(kind="slow", seconds=10, sid=slow.sid, **REFRESH)
    waiting = [
        asyncio.create_task(introspect(replica, slow.access))
        for replica in cluster.auth
        for _ in range(10)
    ]
    async with asyncio.timeout(10):
        while not (await pingone.family(slow.sid))["refresh_requests"]:
            assert not any(task.done() for task in waiting)
    seen = []
    for _ in range(times(10, 60)):
        for person, replica in zip(others, cluster.auth, strict=True):
            person.login.issuer = replica.url
            started = time.monotonic()
            answer = await person.login.refresh(person.refresh)
            seen.append(time.monotonic() - started)
            assert answer.status_code == 200, answer.text
            person.refresh = answer.json()["refresh_token"]
    were_waiting = sum(not task.done() for task in waiting)
    answers = await asyncio.gather(*waiting)
    assert were_waiting == len(waiting), "the others took as long as the slow one"
    assert {answer.status_code for answer in answers} <= {200, 503}
    measured = latencies(seen)
    report.note(
        12,
        "While PingOne takes 10 s for one grant, and 30 introspections of it wait at three"
        " replicas, others refresh their handles at all of them without noticing.",
        f"/token of others: {measured}",
    )
    assert max(seen) < 2.0


async def _signed_in_with(pingone: Any, sign_in: Any, seconds: int, **options: str) -> Any:
    """Sign in with a PingOne token of this life; the next one lives for an hour again."""
    await pingone.policy(access_token_seconds=seconds)
    person = await sign_in(**options)
    await pingone.policy(access_token_seconds=3600)
    return person


async def _until_active(introspect: Any, lapse_lease: Any, replica: Any, person: Any) -> None:
    async with asyncio.timeout(30):
        while True:
            await lapse_lease(person)  # the back-off passes: in the database
            answer = await introspect(replica, person.access)
            if answer.status_code == 200:
                break
    assert answer.json()["active"] is True
