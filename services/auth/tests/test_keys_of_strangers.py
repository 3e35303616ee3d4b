"""What strangers register keeps nobody's keys from being fetched, and no withdrawn key alive."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from auth_back_channel import refusal, replica_of
from auth_commands import Commands
from auth_harness import REDIRECT_URI, AuthUnderTest
from client_assertions import EC, OTHER_EC, key_set, proof, register_with_keys
from published_documents import CLIENT_URL

from auth_server.client_documents import key_sets

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HOST = "https://chatgpt.example"
JWKS_URI = f"{HOST}/oauth/jwks.json"


async def ask(auth: AuthUnderTest, client_id: str, *key: Any) -> httpx.Response:
    """A request that succeeds for every proven client: the revocation of nothing."""
    form = {"token": "nothing", **proof(auth, client_id, *key)}
    return await auth.anyone.post("/revoke", data=form)


async def registered(auth: AuthUnderTest, jwks_uri: str = JWKS_URI) -> str:
    """A client that nobody has signed in with yet."""
    return await register_with_keys(auth, jwks=None, jwks_uri=jwks_uri)


async def used(auth: AuthUnderTest, jwks_uri: str = JWKS_URI) -> str:
    """A client that somebody has signed in with."""
    client_id = await registered(auth, jwks_uri)
    await auth.obtain_code(client_id=client_id)
    return client_id


@pytest.fixture
def most_at_once(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many key sets are fetched at once."""
    monkeypatch.setattr(key_sets, "MOST_AT_ONCE", 2)
    return 2


@asynccontextmanager
async def busy(auth: AuthUnderTest, most_at_once: int) -> AsyncIterator[None]:
    """As many key sets are being fetched as may be, and do not come."""
    others = [await used(auth, f"{HOST}/search?q={number}") for number in range(most_at_once)]
    let_go, all_asked = asyncio.Event(), asyncio.Event()
    before = len(auth.published.fetched)

    async def hold() -> None:
        if len(auth.published.fetched) - before == most_at_once:
            all_asked.set()
        await let_go.wait()

    auth.published.before_answering = hold
    asking = [asyncio.create_task(ask(auth, client_id)) for client_id in others]
    await asyncio.wait_for(all_asked.wait(), timeout=10)
    try:
        yield
    finally:
        let_go.set()
        auth.published.before_answering = None
        await asyncio.gather(*asking)


@pytest.mark.standard("RFC 7591 2 jwks_uri")
async def test_the_keys_of_a_client_that_nobody_signed_in_with_are_not_fetched(
    auth: AuthUnderTest,
) -> None:
    auth.published.publish(JWKS_URI, key_set(EC))
    client_id = await registered(auth)
    assert refusal(await ask(auth, client_id), 401) == "invalid_client"
    assert auth.published.fetched == []
    code = await auth.obtain_code(client_id=client_id)
    answer = await auth.exchange(code, client_id=client_id, **proof(auth, client_id))
    assert answer.status_code == 200, answer.text
    assert auth.published.fetched == [JWKS_URI]


@ON_SQLITE
async def test_an_operators_client_needs_no_sign_on_for_its_keys_to_be_fetched(
    auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth.published.publish(JWKS_URI, key_set(EC))
    configured = {
        "client_id": "configured",
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": JWKS_URI,
    }
    add = ("clients", "add", "--name", "Agent", "--redirect-uri", REDIRECT_URI)
    [added] = await Commands(auth, monkeypatch).json(*add, "--jwks-uri", JWKS_URI)
    async with replica_of(auth, auth_clients=json.dumps([configured])) as replica:
        for client_id in ("configured", added["client_id"]):
            assert (await ask(replica, client_id)).status_code == 200


async def test_a_client_whose_grants_have_ended_hears_of_that_and_still_proves_itself(
    auth: AuthUnderTest,
) -> None:
    auth.published.publish(JWKS_URI, key_set(EC))
    auth.client_id = client_id = await registered(auth)
    handles = (await auth.exchange(await auth.obtain_code(), **proof(auth, client_id))).json()
    form = {"token": handles["refresh_token"], **proof(auth, client_id)}
    assert (await auth.anyone.post("/revoke", data=form)).status_code == 200
    again = await auth.refresh(handles["refresh_token"], **proof(auth, client_id))
    assert refusal(again) == "invalid_grant"


async def test_a_client_that_made_room_during_its_first_sign_on_proves_itself_nevertheless(
    auth: AuthUnderTest,
) -> None:
    auth.published.publish(JWKS_URI, key_set(EC))
    auth.published.publish_client(token_endpoint_auth_method="private_key_jwt", jwks_uri=JWKS_URI)
    redirect_uri = "http://127.0.0.1/callback"
    code = await auth.obtain_code(client_id=CLIENT_URL, redirect_uri=redirect_uri)
    async with auth.resources.database.transaction() as tx:
        await tx.clients.delete(CLIENT_URL)
    answer = await auth.exchange(
        code, client_id=CLIENT_URL, redirect_uri=redirect_uri, **proof(auth, CLIENT_URL)
    )
    assert answer.status_code == 200, answer.text


@ON_SQLITE
async def test_a_first_proof_waits_until_others_are_fetched_and_no_longer(
    auth: AuthUnderTest, most_at_once: int
) -> None:
    auth.published.publish(JWKS_URI, key_set(EC))
    client_id = await used(auth)
    async with busy(auth, most_at_once):
        response = await ask(auth, client_id)
        assert refusal(response, 503) == "temporarily_unavailable"
        assert response.headers["retry-after"]
        assert JWKS_URI not in auth.published.fetched
    # Nobody was asked, so there is nothing to wait for: no second has passed.
    assert (await ask(auth, client_id)).status_code == 200


@pytest.mark.standard("RFC 7591 2 jwks_uri")
@ON_SQLITE
async def test_a_withdrawn_key_does_not_outlive_its_time_while_others_are_fetched(
    auth: AuthUnderTest, most_at_once: int
) -> None:
    auth.published.publish(JWKS_URI, key_set(EC))
    client_id = await used(auth)
    assert (await ask(auth, client_id)).status_code == 200
    auth.published.publish(JWKS_URI, key_set(OTHER_EC))
    auth.clock.advance(seconds=901)
    async with busy(auth, most_at_once):
        for key in (EC, OTHER_EC):
            response = await ask(auth, client_id, key)
            assert refusal(response, 503) == "temporarily_unavailable"
    assert (await ask(auth, client_id, OTHER_EC)).status_code == 200
    auth.clock.advance(seconds=30)
    assert refusal(await ask(auth, client_id, EC), 401) == "invalid_client"
