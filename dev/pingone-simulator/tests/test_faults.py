"""Faults that are switched on purpose: what strikes whom, how often, and what has changed then."""

import asyncio
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from pingone_simulator.testing import RelyingParty

REFRESH = {"endpoint": "token", "grant_type": "refresh_token"}


async def add(party: RelyingParty, **fault: object) -> None:
    response = await party.control("POST", "/faults", fault)
    assert response.status_code == httpx.codes.OK, response.text


async def seen(party: RelyingParty) -> dict[str, Any]:
    answer: dict[str, Any] = (await party.control("GET", "/requests")).raise_for_status().json()
    return answer


async def wait_until_held(party: RelyingParty, asking: asyncio.Task[httpx.Response]) -> None:
    while (await seen(party))["held"] != {"token": 1}:
        assert not asking.done()
        await asyncio.sleep(0)  # the request that is to be held moves on


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_an_error_strikes_as_often_as_it_was_told_and_changes_nothing(
    party: RelyingParty, status: int
) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]
    await add(party, **REFRESH, kind="error", status=status, retry_after=7, times=2)

    answers = [await party.refresh(refresh_token) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert "correlation-id" in answers[0].headers
    [family] = (await seen(party))["families"]
    assert (family["refresh_requests"], family["refreshes"], family["replays"]) == (3, 1, 0)


async def test_an_error_without_times_lasts_until_it_is_removed(party: RelyingParty) -> None:
    await add(party, endpoint="jwks", kind="error")

    for _ in range(3):
        assert (await party.browser.get(f"{party.issuer}/jwks")).status_code == 503
    await party.control("DELETE", "/faults")
    assert (await party.browser.get(f"{party.issuer}/jwks")).status_code == 200


async def test_an_error_after_the_work_hides_a_rotation_that_was_carried_out(
    party: RelyingParty,
) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]
    await add(party, **REFRESH, kind="error", status=502, when="after", times=1)

    assert (await party.refresh(refresh_token)).status_code == 502

    assert not party.simulator.is_refresh_token_live(refresh_token)
    assert (await party.refresh(refresh_token)).json()["error"] == "invalid_grant"
    assert not party.simulator.is_family_live(refresh_token)


async def test_a_reset_before_the_work_has_changed_nothing(party: RelyingParty) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]
    await add(party, **REFRESH, kind="reset", times=1)

    with pytest.raises(ConnectionResetError):
        await party.refresh(refresh_token)

    assert party.simulator.is_refresh_token_live(refresh_token)


async def test_a_reset_after_the_work_has_changed_everything(party: RelyingParty) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]
    await add(party, **REFRESH, kind="reset", when="after", times=1)

    with pytest.raises(ConnectionResetError):
        await party.refresh(refresh_token)

    assert not party.simulator.is_refresh_token_live(refresh_token)


async def test_a_fault_can_be_meant_for_one_person_only(party: RelyingParty) -> None:
    alices = (await party.obtain_tokens())["refresh_token"]
    party.browser.cookies.clear()
    bobs = (await party.obtain_tokens(username="bob"))["refresh_token"]
    await add(party, **REFRESH, kind="error", username="bob")

    assert (await party.refresh(bobs)).status_code == 503
    assert (await party.refresh(alices)).status_code == 200


async def test_a_fault_can_be_meant_for_one_session_only(party: RelyingParty) -> None:
    first = (await party.obtain_tokens())["refresh_token"]
    [family] = (await seen(party))["families"]
    party.browser.cookies.clear()
    second = (await party.obtain_tokens())["refresh_token"]
    await add(party, **REFRESH, kind="error", sid=family["sid"])

    assert (await party.refresh(first)).status_code == 503
    assert (await party.refresh(second)).status_code == 200


async def test_a_fault_for_refreshes_leaves_codes_alone(party: RelyingParty) -> None:
    await add(party, **REFRESH, kind="error")

    assert (await party.obtain_tokens())["refresh_token"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_held_request_waits_until_it_is_released(party: RelyingParty, when: str) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]
    await add(party, **REFRESH, kind="hold", when=when)

    asking = asyncio.create_task(party.refresh(refresh_token))
    await wait_until_held(party, asking)

    # Held before the work it has changed nothing; held after it, only the answer is missing.
    assert party.simulator.is_refresh_token_live(refresh_token) is (when == "before")
    released = await party.control("POST", "/faults/release", {"endpoint": "token"})
    assert released.json() == {"released": 1}
    assert (await asking).status_code == 200
    assert (await seen(party))["held"] == {}


async def test_a_held_request_can_be_dropped_instead(party: RelyingParty) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]
    await add(party, **REFRESH, kind="hold")

    asking = asyncio.create_task(party.refresh(refresh_token))
    await wait_until_held(party, asking)
    await party.control("POST", "/faults/release", {"drop": True})

    with pytest.raises(ConnectionResetError):
        await asking
    assert party.simulator.is_refresh_token_live(refresh_token)


async def test_removing_all_faults_lets_held_requests_go_on(party: RelyingParty) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]
    await add(party, **REFRESH, kind="hold")
    asking = asyncio.create_task(party.refresh(refresh_token))
    await wait_until_held(party, asking)

    await party.control("DELETE", "/faults")

    assert (await asking).status_code == 200


async def test_a_release_of_another_endpoint_leaves_a_request_waiting(party: RelyingParty) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]
    await add(party, **REFRESH, kind="hold")
    asking = asyncio.create_task(party.refresh(refresh_token))
    await wait_until_held(party, asking)

    released = await party.control("POST", "/faults/release", {"endpoint": "jwks"})

    assert released.json() == {"released": 0}
    assert not asking.done()
    party.simulator.faults.clear()
    await asking


async def test_a_slow_endpoint_takes_the_time_it_was_told(
    party: RelyingParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await add(party, endpoint="jwks", kind="slow", seconds=10)
    monkeypatch.setattr("pingone_simulator.faults.asyncio.sleep", sleep)

    assert (await party.browser.get(f"{party.issuer}/jwks")).status_code == 200
    assert slept == [10]


async def test_a_wrong_nonce_is_not_the_one_that_was_sent(party: RelyingParty) -> None:
    await add(party, kind="wrong_nonce", times=1)
    keys = KeySet.import_key_set((await party.browser.get(f"{party.issuer}/jwks")).json())

    nonces = []
    for _ in range(2):
        id_token = (await party.obtain_tokens())["id_token"]
        nonces.append(jwt.decode(id_token, keys, algorithms=["RS256"]).claims["nonce"])

    assert nonces[0] != "the-nonce"
    assert nonces[1] == "the-nonce"
