"""A client assertion proves its client once: on whichever replica, however many come at once."""

import asyncio

import httpx
import pytest
from auth_answers import count_rows
from auth_back_channel import database_outage, refusal, replica_of
from auth_harness import ISSUER, AuthUnderTest
from client_assertions import (
    EC,
    OTHER_EC,
    presented,
    proof,
    register_with_keys,
    right_claims,
    signed,
)

from auth_server.flows.sweep_expired import SweepExpired
from auth_server.storage.tables import spent_assertions

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def ask(auth: AuthUnderTest, form: dict[str, str]) -> httpx.Response:
    """A request that succeeds for every proven client: the revocation of nothing."""
    return await auth.anyone.post("/revoke", data={"token": "nothing", **form})


async def sweep(auth: AuthUnderTest) -> None:
    resources = auth.resources
    await SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )()


@pytest.mark.standard("RFC 7523 3 jti")
async def test_an_assertion_is_accepted_once_over_all_replicas_and_endpoints(
    auth: AuthUnderTest,
) -> None:
    auth.client_id = await register_with_keys(auth)
    code = await auth.obtain_code()
    form = proof(auth, auth.client_id)
    async with replica_of(auth) as other:
        handles = await auth.exchange(code, **form)
        assert handles.status_code == 200, handles.text
        for replica in (auth, other):
            again = await replica.refresh(handles.json()["refresh_token"], **form)
            assert refusal(again, 401) == "invalid_client"
            assert refusal(await ask(replica, form), 401) == "invalid_client"
        # A retry needs a new assertion, and gets what the first one did.
        fresh = await other.refresh(handles.json()["refresh_token"], **proof(auth, auth.client_id))
        assert fresh.status_code == 200, fresh.text


async def test_of_twenty_at_once_over_two_replicas_one_is_accepted(auth: AuthUnderTest) -> None:
    client_id = await register_with_keys(auth)
    form = proof(auth, client_id)
    async with replica_of(auth) as other:
        answers = await asyncio.gather(*(ask(one, form) for one in (auth, other) * 10))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19
    assert await count_rows(auth, spent_assertions) == 1


@ON_SQLITE
async def test_another_signature_of_the_same_jti_is_a_replay(auth: AuthUnderTest) -> None:
    client_id = await register_with_keys(auth)
    first = right_claims(auth, client_id, jti="the-same")
    assert (await ask(auth, presented(signed(first)))).status_code == 200
    second = first | {"exp": first["exp"] + 1, "aud": f"{ISSUER}/token"}
    assert refusal(await ask(auth, presented(signed(second))), 401) == "invalid_client"


@ON_SQLITE
async def test_two_clients_may_use_the_same_jti(auth: AuthUnderTest) -> None:
    for client_id in [await register_with_keys(auth) for _ in range(2)]:
        assertion = signed(right_claims(auth, client_id, jti="the-same"))
        assert (await ask(auth, presented(assertion))).status_code == 200


@ON_SQLITE
async def test_what_is_refused_spends_nothing(auth: AuthUnderTest) -> None:
    client_id = await register_with_keys(auth)
    claims = right_claims(auth, client_id, jti="the-same")
    for form in (
        presented(signed(claims, OTHER_EC, kid=EC.kid)),
        presented(signed(claims | {"aud": [ISSUER]})),
    ):
        assert refusal(await ask(auth, form), 401) == "invalid_client"
    assert await count_rows(auth, spent_assertions) == 0
    assert (await ask(auth, presented(signed(claims)))).status_code == 200


async def test_while_the_database_is_away_no_assertion_is_accepted_or_called_wrong(
    auth: AuthUnderTest,
) -> None:
    client_id = await register_with_keys(auth)
    form = proof(auth, client_id)
    async with database_outage(auth):
        response = await ask(auth, form)
        assert refusal(response, 503) == "temporarily_unavailable"
        assert response.headers["retry-after"]
    assert (await ask(auth, form)).status_code == 200


async def test_a_spent_assertion_is_remembered_until_no_replica_accepts_it(
    auth: AuthUnderTest,
) -> None:
    client_id = await register_with_keys(auth)
    form = proof(auth, client_id)
    assert (await ask(auth, form)).status_code == 200
    # It expires in 60 seconds; then come the leeway, and a clock that is a minute behind.
    auth.clock.advance(seconds=60 + 30 + 59)
    await sweep(auth)
    assert await count_rows(auth, spent_assertions) == 1
    auth.clock.advance(seconds=1)
    await sweep(auth)
    assert await count_rows(auth, spent_assertions) == 0
    assert refusal(await ask(auth, form), 401) == "invalid_client"
