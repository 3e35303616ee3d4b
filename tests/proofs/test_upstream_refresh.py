"""PingOne sees one refresh of a grant at a time, whoever asks and whoever dies (property 5)."""

import asyncio
import contextlib
from collections import Counter
from typing import Any

import httpx
import pytest

CONCURRENT = 100
REFRESH = {"endpoint": "token", "grant_type": "refresh_token"}
# So short that PingOne's token is too close to its end to be handed out at all ...
EXPIRED_SECONDS = 5
# ... or long enough for that, and so short that it is due for a refresh at once.
DUE_SECONDS = 90


async def test_a_hundred_introspections_at_expiry_make_one_refresh(
    cluster: Any, signed_in_with: Any, pingone: Any, introspect: Any, times: Any, note: Any
) -> None:
    rounds = times(1, 15)
    for _ in range(rounds):
        person = await signed_in_with(EXPIRED_SECONDS)
        await pingone.fault(kind="hold", sid=person.sid, **REFRESH)
        asking = [
            asyncio.create_task(introspect(cluster.auth[turn % len(cluster.auth)], person.access))
            for turn in range(CONCURRENT)
        ]
        await pingone.until_held()
        await pingone.no_faults()
        answers = await asyncio.gather(*asking)
        assert Counter(answer.status_code for answer in answers) == {200: CONCURRENT}
        tokens = {answer.json()["downstream_token"]["access_token"] for answer in answers}
        assert len(tokens) == 1
        family = await pingone.family(person.sid)
        assert (family["refresh_requests"], family["is_live"]) == (1, True)
    note(
        2,
        "A hundred introspections of one expired PingOne token, over three replicas of auth, make"
        " one refresh at PingOne, and all get the new token.",
        f"{rounds} x {CONCURRENT} introspections, {rounds} x 1 refresh at PingOne, 0 failures",
    )


@pytest.mark.long_proof
async def test_a_lease_holder_killed_before_pingone_did_anything_costs_nothing(
    cluster: Any,
    signed_in_with: Any,
    pingone: Any,
    introspect: Any,
    lapse_lease: Any,
    times: Any,
    note: Any,
) -> None:
    kills = times(1, 3)
    for number in range(kills):
        person = await signed_in_with(EXPIRED_SECONDS)
        holder, *survivors = (cluster.auth[(number + i) % len(cluster.auth)] for i in range(3))
        await _kill_holder(pingone, introspect, holder, person, when="before")
        try:
            # The outcome is unknown here, and the lease is not up: an outage, never "inactive".
            asked = (introspect(replica, person.access) for replica in survivors)
            for answer in await asyncio.gather(*asked):
                _assert_unavailable(answer)
            await lapse_lease(person)
            answers = await _a_hundred_ask(introspect, survivors, person)
            assert Counter(answer.status_code for answer in answers) == {200: CONCURRENT}
            assert all(answer.json()["active"] for answer in answers)
            family = await pingone.family(person.sid)
            assert (family["refresh_requests"], family["refreshes"]) == (2, 1)
            assert family["is_live"]
        finally:
            await _bring_back(holder)
    note(
        3,
        "The holder of the lease is killed (-9) before PingOne has done anything: until the"
        " lease is up the others answer 503; then a hundred introspections over both of them make"
        " one refresh, and nobody fails.",
        f"{kills} kills; each time 2 requests at PingOne, 1 refresh, 0 replays",
    )


@pytest.mark.parametrize("grace", [0, 60])
async def test_a_lease_holder_killed_after_pingone_answered_costs_a_sign_in_unless_there_is_a_grace(
    cluster: Any,
    signed_in_with: Any,
    pingone: Any,
    introspect: Any,
    lapse_lease: Any,
    grace: int,
    note: Any,
) -> None:
    person = await signed_in_with(EXPIRED_SECONDS)
    await pingone.policy(refresh_grace_seconds=grace)
    holder, *survivors = cluster.auth
    await _kill_holder(pingone, introspect, holder, person, when="after")
    try:
        await lapse_lease(person)
        answers = await _a_hundred_ask(introspect, survivors, person)
        assert Counter(answer.status_code for answer in answers) == {200: CONCURRENT}
        assert {answer.json()["active"] for answer in answers} == {bool(grace)}
        family = await pingone.family(person.sid)
        assert (family["refresh_requests"], family["replays"]) == (2, 1)
        assert family["is_live"] is bool(grace)
        if not grace:
            again = await person.login.sign_in()
            assert await person.login.is_active(again["access_token"])
    finally:
        await _bring_back(holder)
    note(
        5 if grace else 4,
        "The holder of the lease is killed (-9) after PingOne rotated the token and before that was"
        f" stored, with a grace of {grace} s at PingOne: "
        + ("a hundred" if grace else "of a hundred")
        + " introspections over both others "
        + ("get a token." if grace else "none fails or is active; the person signs in once more."),
        "2 requests at PingOne, 1 replay" + (", forgiven" if grace else ", the family is dead"),
    )


@pytest.mark.parametrize("when", [pytest.param("before", marks=pytest.mark.long_proof), "after"])
async def test_while_the_token_lives_a_lost_refresh_is_neither_noticed_nor_repeated(
    cluster: Any,
    signed_in_with: Any,
    pingone: Any,
    introspect: Any,
    lapse_lease: Any,
    when: str,
    note: Any,
) -> None:
    person = await signed_in_with(DUE_SECONDS)
    await _kill_holder(pingone, introspect, cluster.auth[0], person, when=when)
    try:
        await lapse_lease(person)
        answers = await _a_hundred_ask(introspect, cluster.auth[1:], person)
        assert all(answer.json()["active"] for answer in answers)
        family = await pingone.family(person.sid)
        assert (family["refresh_requests"], family["is_live"]) == (1, True)
    finally:
        await _bring_back(cluster.auth[0])
    note(
        6,
        "The same with a token of PingOne's that is due for a refresh and alive, and no grace: a"
        " hundred introspections over both others get it, and PingOne is not asked again.",
        f"killed {when} PingOne did the work",
    )


async def _kill_holder(
    pingone: Any, introspect: Any, holder: Any, person: Any, *, when: str
) -> None:
    """Let this replica take the lease, and kill it with its request at PingOne."""
    await pingone.fault(kind="hold", when=when, sid=person.sid, times=1, **REFRESH)
    asking = asyncio.create_task(introspect(holder, person.access))
    await pingone.until_held()
    await holder.kill()
    assert await pingone.release(drop=True) == 1
    # It was answered before that, if the old token still lived.
    with contextlib.suppress(httpx.TransportError):
        await asking


async def _a_hundred_ask(introspect: Any, replicas: list[Any], person: Any) -> list[httpx.Response]:
    asked = (replicas[turn % len(replicas)] for turn in range(CONCURRENT))
    answers = await asyncio.gather(*(introspect(replica, person.access) for replica in asked))
    return list(answers)


async def _bring_back(replica: Any) -> None:
    replica.start()
    await replica.ready()


def _assert_unavailable(answer: Any) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
