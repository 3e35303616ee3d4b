"""Two replicas share a database and nothing else: whoever is asked, there is one answer."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from auth_answers import code_at_client, count_rows, error_at_client, host_of, outcome_page
from auth_back_channel import downstream, keep_token_answers, refusal, replica_of
from auth_harness import AuthUnderTest
from sqlalchemy import select

from auth_server.storage.tables import access_handles, authorizations, grants, refresh_handles

# The embedded database is for one process: replicas share a PostgreSQL.
pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

AT_ONCE = 50
Replicas = tuple[AuthUnderTest, AuthUnderTest]


@pytest.fixture
async def replicas(auth: AuthUnderTest) -> AsyncIterator[Replicas]:
    async with replica_of(auth) as other:
        yield auth, other


def one_browser(replicas: Replicas) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
    """The same person's browser, as a load balancer sends it to the one and to the other."""
    one, other = (replica.new_browser() for replica in replicas)
    other.cookies.jar = one.cookies.jar
    return one, other


async def reasons(auth: AuthUnderTest) -> list[str | None]:
    """Why each grant was revoked; None for one that lives."""
    async with auth.resources.database.reading_connection() as connection:
        return list((await connection.execute(select(grants.c.revocation_reason))).scalars())


async def test_a_code_redeemed_fifty_times_at_once_gives_one_set_of_handles_and_a_revoked_grant(
    replicas: Replicas,
) -> None:
    auth, _ = replicas
    at_pingone = keep_token_answers(auth)
    code = await auth.obtain_code()
    turns = replicas * (AT_ONCE // 2)
    responses = await asyncio.gather(*(replica.exchange(code) for replica in turns))
    winners = [response.json() for response in responses if response.status_code == 200]
    losers = [response for response in responses if response.status_code != 200]
    assert (len(winners), len(losers)) == (1, AT_ONCE - 1)
    assert {refusal(response) for response in losers} == {"invalid_grant"}
    assert await count_rows(auth, access_handles) == 1
    assert await count_rows(auth, refresh_handles) == 1
    assert await reasons(auth) == ["code_replay"]
    for replica in replicas:
        assert not await replica.is_active(winners[0]["access_token"])
        assert refusal(await replica.refresh(winners[0]["refresh_token"])) == "invalid_grant"
        await replica.settle()
    assert not auth.simulator.is_family_live(at_pingone[0]["refresh_token"])


async def test_a_code_that_one_replica_took_is_a_replay_on_the_other(replicas: Replicas) -> None:
    auth, other = replicas
    code = await auth.obtain_code()
    handles = (await auth.exchange(code)).json()
    assert refusal(await other.exchange(code)) == "invalid_grant"
    assert not await auth.is_active(handles["access_token"])
    assert await reasons(auth) == ["code_replay"]


async def test_a_callback_repeated_on_the_other_replica_gives_the_same_code(
    replicas: Replicas,
) -> None:
    auth, other = replicas
    here, there = one_browser(replicas)
    to_pingone = await auth.decide(here, await auth.authorize(here))
    answer = await auth.sign_on(here, to_pingone)
    code = code_at_client(await auth.back(here, answer))
    asked_pingone = auth.simulator.token_requests["authorization_code"]
    assert code_at_client(await other.back(there, answer)) == code
    assert auth.simulator.token_requests["authorization_code"] == asked_pingone
    assert await reasons(auth) == [None]
    # The repetition costs the client nothing: its code is as good as before.
    assert (await other.exchange(code)).status_code == 200
    # What the one has redeemed, the other does not send again.
    assert "The app is connected" in outcome_page(await auth.back(here, answer))
    assert await reasons(auth) == [None]


async def test_twenty_callbacks_at_once_over_both_replicas_get_one_code(
    replicas: Replicas,
) -> None:
    auth, other = replicas
    browsers = one_browser(replicas)
    to_pingone = await auth.decide(browsers[0], await auth.authorize(browsers[0]))
    answer = await auth.sign_on(browsers[0], to_pingone)
    turns = list(zip(replicas, browsers, strict=True)) * 10
    responses = await asyncio.gather(*(one.back(browser, answer) for one, browser in turns))
    [code] = {code_at_client(response) for response in responses}
    assert auth.simulator.token_requests["authorization_code"] == 1
    assert await reasons(auth) == [None]
    assert (await other.exchange(code)).status_code == 200


async def test_a_consent_allowed_fifty_times_at_once_over_both_replicas_leaves_four_sign_ons(
    replicas: Replicas,
) -> None:
    auth, _ = replicas
    browsers = one_browser(replicas)
    consent = await auth.authorize(browsers[0])
    turns = list(zip(replicas, browsers, strict=True)) * (AT_ONCE // 2)
    responses = await asyncio.gather(*(one.decide(browser, consent) for one, browser in turns))
    assert {host_of(response) for response in responses} == {"localhost:9080"}
    assert await count_rows(auth, authorizations) == 4


async def test_a_consent_allowed_on_both_replicas_leads_to_one_grant(replicas: Replicas) -> None:
    auth, other = replicas
    here, there = one_browser(replicas)
    consent = await auth.authorize(here)
    to_pingone = await auth.decide(here, consent), await other.decide(there, consent)
    answers = [await auth.sign_on(here, one) for one in to_pingone]
    # Each answer comes back to the replica that did not send the browser away.
    ended = await asyncio.gather(other.back(there, answers[0]), auth.back(here, answers[1]))
    assert sorted(response.status_code for response in ended) == [200, 303]
    assert await reasons(auth) == [None]
    for replica, browser in zip(replicas, (here, there), strict=True):
        again = outcome_page(await replica.decide(browser, consent))
        assert "The app is connected" in again


async def test_a_denial_on_one_replica_stops_the_sign_on_at_the_other(replicas: Replicas) -> None:
    auth, other = replicas
    here, there = one_browser(replicas)
    consent = await auth.authorize(here)
    answer = await auth.sign_on(here, await auth.decide(here, consent))
    assert error_at_client(await other.decide(there, consent, "deny")) == "access_denied"
    assert "You denied this request" in outcome_page(await auth.back(here, answer))
    assert await reasons(auth) == []


async def test_two_tabs_whose_every_step_is_on_another_replica_both_finish(
    replicas: Replicas,
) -> None:
    auth, other = replicas
    here, there = one_browser(replicas)
    # Two logins advance in turns, crosswise.
    first_page = await auth.authorize(here, state="tab-1", scope="todo_api:read")
    second_page = await other.authorize(there, state="tab-2")
    first = await other.decide(there, first_page)
    second = await auth.decide(here, second_page)
    first = await auth.sign_on(here, first)
    second = await other.sign_on(there, second)
    # The second, which is allowed more, comes first: after the other it would be a step-up.
    second_code = code_at_client(await other.back(there, second), state="tab-2")
    second_handles = (await auth.exchange(second_code)).json()
    first_code = code_at_client(await auth.back(here, first), state="tab-1")
    first_handles = (await other.exchange(first_code)).json()
    assert first_handles["scope"] == "todo_api:read"
    assert second_handles["scope"] == "todo_api:read todo_api:write"
    for replica in replicas:
        assert await downstream(replica, first_handles["access_token"])
        assert await downstream(replica, second_handles["access_token"])
    # And from then on: refresh here, use there; end there, ended here.
    renewed = (await auth.refresh(first_handles["refresh_token"])).json()
    assert await other.is_active(renewed["access_token"])
    form = {"client_id": auth.client_id, "token": renewed["refresh_token"]}
    assert (await other.anyone.post("/revoke", data=form)).status_code == 200
    assert not await auth.is_active(renewed["access_token"])
    assert await auth.is_active(second_handles["access_token"])


async def test_a_handle_spent_on_one_replica_is_a_retry_and_later_theft_on_the_other(
    replicas: Replicas,
) -> None:
    auth, other = replicas
    at_pingone = keep_token_answers(auth)
    refresh = (await auth.obtain_handles())["refresh_token"]
    first = (await auth.refresh(refresh)).json()
    assert (await other.refresh(refresh)).json() == first
    assert await reasons(auth) == [None]
    auth.clock.advance(seconds=60)
    # At once on both, it is theft only once.
    responses = await asyncio.gather(*(replica.refresh(refresh) for replica in replicas * 5))
    assert {refusal(response) for response in responses} == {"invalid_grant"}
    assert await reasons(auth) == ["refresh_reuse"]
    for replica in replicas:
        assert not await replica.is_active(first["access_token"])
        await replica.settle()
    assert not auth.simulator.is_family_live(at_pingone[0]["refresh_token"])


async def test_a_client_that_registered_on_one_replica_is_known_to_the_other(
    replicas: Replicas,
) -> None:
    auth, other = replicas
    other.client_id = (await auth.register())["client_id"]
    handles = await other.obtain_handles()
    auth.client_id = other.client_id
    assert (await auth.refresh(handles["refresh_token"])).status_code == 200
