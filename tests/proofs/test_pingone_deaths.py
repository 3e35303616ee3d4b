"""PingOne ends a session, forgets a refresh token, answers for another login, changes its key."""

import asyncio
from typing import Any

import pytest
from login_steps import answer_of

# PingOne's token: due for a refresh and alive, or too close to its end to be handed out.
ALIVE_SECONDS, EXPIRED_SECONDS = 120, 5
DEATHS = {"sign-off": "session signed off", "revoke-refresh-tokens": "refresh token dead"}


@pytest.mark.parametrize("seconds", [ALIVE_SECONDS, EXPIRED_SECONDS])
@pytest.mark.parametrize("act", DEATHS)
async def test_tokens_that_pingone_calls_dead_end_the_grant_and_a_new_sign_in_works(
    cluster: Any,
    signed_in_with: Any,
    pingone: Any,
    call_tool: Any,
    introspect: Any,
    until_refused: Any,
    eventually: Any,
    act: str,
    seconds: int,
    note: Any,
) -> None:
    is_alive = seconds == ALIVE_SECONDS
    person = await signed_in_with(seconds, username="bob")
    await pingone.act(f"/people/bob/{act}")
    answers = await asyncio.gather(
        *(introspect(replica, person.access) for replica in cluster.auth)
    )
    assert {answer.status_code for answer in answers} == {200}
    if not is_alive:
        assert [answer.json() for answer in answers] == [{"active": False}] * len(answers)

    async def is_refused() -> bool:
        return not await person.login.is_active(person.access)

    # A live token serves until PingOne has said in the background that it was the last one.
    await eventually(is_refused)
    for replica in cluster.mcp:
        await until_refused(replica.url, person.access)
    assert (await pingone.family(person.sid))["refresh_requests"] == 1
    refused = await person.login.refresh(person.refresh)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    again = await person.login.sign_in()
    assert (await call_tool(cluster.mcp[0].url, again["access_token"])).status_code == 200
    note(
        19,
        "What PingOne calls dead ends the grant at the next refresh: inactive and `invalid_grant`"
        " at every replica, one request at PingOne, and a new sign-in works.",
        f"{DEATHS[act]} (token {'alive' if is_alive else 'expired'})",
    )


async def test_a_wrong_nonce_ends_the_login_and_the_next_one_works(
    cluster: Any, sign_in: Any, call_tool: Any, pingone: Any, note: Any
) -> None:
    person = await sign_in()
    await pingone.fault(kind="wrong_nonce", times=1)
    answer = answer_of(await person.login.http.get(await person.login.come_back()))
    assert "code" not in answer
    assert answer["error"] == "server_error"
    assert (await call_tool(cluster.mcp[0].url, person.access)).status_code == 200
    assert await person.login.is_active((await person.login.sign_in())["access_token"])
    note(
        20,
        "An ID token with a wrong nonce ends that login with an error at the client and no code;"
        " the person's other grant lives on, and the next login works.",
        "1 login refused",
    )


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
    signed_in_with: Any,
    pingone: Any,
    call_tool: Any,
    introspect: Any,
    eventually: Any,
    note: Any,
) -> None:
    replica, mcp = cluster.auth[0], cluster.mcp[0]
    expired = await signed_in_with(EXPIRED_SECONDS)
    # Each refresh brings a token that has expired as well, and makes another one due.
    await pingone.policy(access_token_seconds=EXPIRED_SECONDS)
    # Everybody fetches the keys now, and does not again for a while.
    await pingone.act("/signing-key", {"keep_old": True})

    async def is_known() -> bool:
        asked, called = await asyncio.gather(
            introspect(replica, expired.access), call_tool(mcp.url, expired.access)
        )
        for answer in (asked, called):
            assert answer.status_code in {200, 503}, answer.text
        return (asked.status_code, called.status_code) == (200, 200)

    first = await eventually(is_known, seconds=60)
    alive = await signed_in_with(ALIVE_SECONDS, username="bob")
    await pingone.act("/signing-key", {"keep_old": False})

    async def is_known_and_alive_unnoticed() -> bool:
        serving = await introspect(replica, alive.access)
        assert (serving.status_code, serving.json()["active"]) == (200, True), serving.text
        return await is_known()

    second = await eventually(is_known_and_alive_unnoticed, seconds=60)
    for person in (alive, expired):
        assert (await introspect(replica, person.access)).json()["active"] is True
        family = await pingone.family(person.sid)
        assert family["refresh_requests"] > 0
        assert family["is_live"]
    note(
        21,
        "PingOne rotates its signing key twice in a row: a token whose key is too new to be known"
        " is 503 until the keys may be fetched again, or not noticed while the last one lives, and"
        " ends nothing.",
        f"served again {first:.0f} s after the first and {second:.0f} s after the second",
    )
