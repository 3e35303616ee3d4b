"""Budgets at /token and /revoke: a 429 costs nothing, and concerns nobody else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from auth_back_channel import refusal
from auth_harness import CODE_VERIFIER, REDIRECT_URI, AuthUnderTest, auth_under_test
from auth_rate_limits import (
    OURS,
    PROXY,
    THEIRS,
    refresh_from,
    refused,
    seen_at,
    token_from,
    too_many,
)
from client_assertions import presented, proof, register_with_keys, right_claims, signed
from rate_limit_clock import RateLimitClock

Start = Callable[..., AbstractAsyncContextManager[AuthUnderTest]]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def start(database_url: str, rate_limit_clock: RateLimitClock) -> Start:
    """Starts auth behind a proxy, with some budgets made small; time stands still."""
    rate_limit_clock.advance(1)

    def start(**settings: Any) -> AbstractAsyncContextManager[AuthUnderTest]:
        return auth_under_test(database_url, auth_trusted_proxies=PROXY, **settings)

    return start


@pytest.fixture
async def strict(start: Start) -> AsyncIterator[AuthUnderTest]:
    """Two requests a minute for a client at an address."""
    async with start(auth_limit_token="2/minute") as auth:
        yield auth


async def guess(auth: AuthUnderTest, client: dict[str, Any], address: str, secret: str) -> int:
    """Try a client secret; the status."""
    response = await token_from(
        auth, address, client_id=client["client_id"], client_secret=secret, grant_type="none"
    )
    return response.status_code


async def test_a_client_too_busy_at_one_address_is_told_when_to_come_again(
    strict: AuthUnderTest, rate_limit_clock: RateLimitClock
) -> None:
    for _ in range(2):
        assert refusal(await refresh_from(strict, OURS, "nothing")) == "invalid_grant"
    wait = too_many(await refresh_from(strict, OURS, "nothing"))
    assert refused(strict, "token") == 1
    rate_limit_clock.advance(wait)
    assert refusal(await refresh_from(strict, OURS, "nothing")) == "invalid_grant"


async def test_a_refused_code_and_a_refused_refresh_have_spent_nothing(
    strict: AuthUnderTest, rate_limit_clock: RateLimitClock
) -> None:
    exchange = {
        "grant_type": "authorization_code",
        "code": await strict.obtain_code(),
        "code_verifier": CODE_VERIFIER,
        "redirect_uri": REDIRECT_URI,
    }
    for _ in range(2):
        await refresh_from(strict, OURS, "nothing")
    too_many(await token_from(strict, OURS, **exchange))
    response = await token_from(strict, THEIRS, **exchange)
    assert response.status_code == 200
    handles = response.json()

    too_many(await refresh_from(strict, OURS, handles["refresh_token"]))
    rate_limit_clock.advance(120)
    response = await refresh_from(strict, OURS, handles["refresh_token"])
    assert response.status_code == 200
    assert response.json()["refresh_token"] != handles["refresh_token"]


async def test_a_stranger_who_names_a_client_does_not_spend_for_it_elsewhere(
    strict: AuthUnderTest,
) -> None:
    handles = await strict.exchange(await strict.obtain_code())
    for _ in range(10):
        await refresh_from(strict, THEIRS, "nothing")
    too_many(await refresh_from(strict, THEIRS, "nothing"))
    response = await refresh_from(strict, OURS, handles.json()["refresh_token"])
    assert response.status_code == 200


async def test_one_client_does_not_spend_for_another_behind_the_same_address(
    strict: AuthUnderTest,
) -> None:
    other = await strict.register()
    for _ in range(3):
        await refresh_from(strict, OURS, "nothing")
    response = await refresh_from(strict, OURS, "nothing", client_id=other["client_id"])
    assert refusal(response) == "invalid_grant"


async def test_two_addresses_of_one_64_are_one_and_those_of_another_are_not(
    strict: AuthUnderTest,
) -> None:
    for host in (1, 2):
        await refresh_from(strict, f"2001:db8:0:1::{host}", "nothing")
    too_many(await refresh_from(strict, "2001:db8:0:1::3", "nothing"))
    response = await refresh_from(strict, "2001:db8:0:2::1", "nothing")
    assert refusal(response) == "invalid_grant"


async def test_revocations_count_like_tokens_and_can_be_repeated_later(
    strict: AuthUnderTest, rate_limit_clock: RateLimitClock
) -> None:
    handles = (await strict.exchange(await strict.obtain_code())).json()
    for _ in range(2):
        await refresh_from(strict, OURS, "nothing")
    form = {"client_id": strict.client_id, "token": handles["refresh_token"]}
    wait = too_many(await strict.anyone.post("/revoke", data=form, headers=seen_at(OURS)))
    assert await strict.is_active(handles["access_token"])
    rate_limit_clock.advance(wait)
    response = await strict.anyone.post("/revoke", data=form, headers=seen_at(OURS))
    assert response.status_code == 200
    assert not await strict.is_active(handles["access_token"])


async def test_an_address_that_invents_client_ids_is_bounded_too(start: Start) -> None:
    async with start(auth_limit_token_address="3/minute") as auth:
        for number in range(3):
            response = await refresh_from(auth, THEIRS, "nothing", client_id=f"invented-{number}")
            assert refusal(response, 401) == "invalid_client"
        too_many(await refresh_from(auth, THEIRS, "nothing", client_id="invented-4"))
        assert refusal(await refresh_from(auth, OURS, "nothing")) == "invalid_grant"


async def test_a_page_in_a_browser_can_read_when_to_come_again(strict: AuthUnderTest) -> None:
    form = {"client_id": strict.client_id, "grant_type": "refresh_token", "refresh_token": "x"}
    headers = seen_at(OURS) | {"Origin": "https://inspector.example.com"}
    for _ in range(2):
        await strict.anyone.post("/token", data=form, headers=headers)
    response = await strict.anyone.post("/token", data=form, headers=headers)
    too_many(response)
    assert response.headers["access-control-allow-origin"] == "*"
    assert "retry-after" in response.headers["access-control-expose-headers"].lower()


@pytest.mark.standard("RFC 6749 2.3.1 brute force")
async def test_a_guesser_of_secrets_is_stopped_and_stops_nobody_else(
    start: Start, rate_limit_clock: RateLimitClock
) -> None:
    async with start(auth_limit_client_failures="3/minute") as auth:
        client = await auth.register(token_endpoint_auth_method="client_secret_post")
        right = client["client_secret"]
        assert [await guess(auth, client, THEIRS, f"guess-{n}") for n in range(5)] == [
            *(401, 401, 401),
            *(429, 429),
        ]
        # Even the right one: whoever guesses learns nothing more. The client is elsewhere.
        assert await guess(auth, client, THEIRS, right) == 429
        assert await guess(auth, client, OURS, right) == 400
        rate_limit_clock.advance(120)
        assert await guess(auth, client, THEIRS, right) == 400


async def test_an_app_that_was_removed_always_hears_that_it_is_unknown(start: Start) -> None:
    async with start(auth_limit_client_failures="1/minute") as auth:
        for _ in range(5):
            response = await refresh_from(auth, OURS, "nothing", client_id="removed")
            assert refusal(response, 401) == "invalid_client"


async def test_right_proofs_are_no_failures(start: Start) -> None:
    async with start(auth_limit_client_failures="1/minute") as auth:
        client = await auth.register(token_endpoint_auth_method="client_secret_post")
        for _ in range(5):
            assert await guess(auth, client, OURS, client["client_secret"]) == 400


async def test_a_stranger_who_spoils_assertions_does_not_stop_the_client_that_signs_them(
    start: Start,
) -> None:
    """As behind a hosted client, whose people share its client_id, its key and its addresses."""
    async with start(auth_limit_client_failures="1/minute") as auth:
        client_id = await register_with_keys(auth)
        for _ in range(5):
            # Signed for another server, and sent here by what that server says of itself.
            claims = right_claims(auth, client_id, aud="https://evil.example")
            response = await token_from(auth, OURS, client_id=None, **presented(signed(claims)))
            assert refusal(response, 401) == "invalid_client"
            assert await guess(auth, {"client_id": client_id}, OURS, "a secret") in (401, 429)
        response = await token_from(
            auth, OURS, client_id=None, grant_type="none", **proof(auth, client_id)
        )
        assert refusal(response) == "unsupported_grant_type"


async def test_a_grant_that_refreshes_in_a_loop_is_slowed_down_and_loses_nothing(
    start: Start, rate_limit_clock: RateLimitClock
) -> None:
    async with start(auth_limit_refresh="3/minute") as auth:
        handles = await auth.obtain_handles()
        other = await auth.obtain_handles(username="bob")
        for _ in range(3):
            handles = (await refresh_from(auth, OURS, handles["refresh_token"])).json()
        wait = 0
        # From whichever address, and however often.
        for address in (OURS, THEIRS, OURS):
            wait = too_many(await refresh_from(auth, address, handles["refresh_token"]))
        assert (await refresh_from(auth, OURS, other["refresh_token"])).status_code == 200
        rate_limit_clock.advance(wait)
        response = await refresh_from(auth, OURS, handles["refresh_token"])
        assert response.status_code == 200
        assert await auth.is_active(response.json()["access_token"])


async def test_reuse_of_a_stolen_handle_is_noticed_when_the_budget_is_spent(start: Start) -> None:
    async with start(auth_limit_refresh="1/minute") as auth:
        stolen = await auth.obtain_handles()
        kept = (await refresh_from(auth, OURS, stolen["refresh_token"])).json()
        auth.clock.advance(seconds=61)
        response = await refresh_from(auth, THEIRS, stolen["refresh_token"])
        assert refusal(response) == "invalid_grant"
        assert not await auth.is_active(kept["access_token"])


async def test_fifty_retries_at_once_all_get_the_same_handles_with_the_defaults(
    start: Start,
) -> None:
    async with start() as auth:
        handle = (await auth.obtain_handles())["refresh_token"]
        responses = await asyncio.gather(*(refresh_from(auth, OURS, handle) for _ in range(50)))
        assert {response.status_code for response in responses} == {200}
        assert len({response.json()["refresh_token"] for response in responses}) == 1


async def test_hundreds_of_people_behind_one_egress_refresh_with_the_defaults(
    start: Start,
) -> None:
    async with start() as auth:
        for _ in range(400):
            assert refusal(await refresh_from(auth, OURS, "nothing")) == "invalid_grant"


async def test_limits_that_are_off_are_off(start: Start) -> None:
    async with start(auth_rate_limits=False, auth_limit_token="1/minute") as auth:
        for _ in range(5):
            assert refusal(await refresh_from(auth, OURS, "nothing")) == "invalid_grant"
    async with start(auth_limit_token="") as auth:
        for _ in range(5):
            assert refusal(await refresh_from(auth, OURS, "nothing")) == "invalid_grant"
