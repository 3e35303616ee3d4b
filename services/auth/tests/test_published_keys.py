"""Keys that a client publishes at its jwks_uri: fetched when needed, cached, rotated, away."""

import asyncio
from typing import Any

import httpx
import pytest
from auth_back_channel import refusal
from auth_harness import AuthUnderTest
from client_assertions import EC, OTHER_EC, RSA, key_set, proof, register_with_keys
from joserfc.jwk import Key
from structlog.testing import capture_logs

from auth_server.client_documents import fetcher, key_sets
from auth_server.client_documents.documents import DocumentUnavailable, FetchedDocument
from auth_server.client_documents.key_sets import PublishedKeySets
from auth_server.flows import client_documents
from service_kit.jwks_cache import JwksUnavailable

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
JWKS_URI = "https://chatgpt.example/oauth/jwks.json"


async def ask(auth: AuthUnderTest, form: dict[str, str]) -> httpx.Response:
    """A request that succeeds for every proven client: the revocation of nothing."""
    return await auth.anyone.post("/revoke", data={"token": "nothing", **form})


async def register(auth: AuthUnderTest, *keys: Key) -> str:
    """A client that publishes these keys, and that somebody has signed in with."""
    auth.published.publish(JWKS_URI, key_set(*keys))
    client_id = await register_with_keys(auth, jwks=None, jwks_uri=JWKS_URI)
    await auth.obtain_code(client_id=client_id)
    return client_id


@pytest.mark.standard("RFC 7591 2 jwks", "RFC 7523 3 signature")
async def test_chatgpts_shape_of_client_signs_in(auth: AuthUnderTest) -> None:
    auth.client_id = await register(auth, RSA)
    code = await auth.obtain_code()
    assert auth.published.fetched == []
    response = await auth.exchange(code, **proof(auth, auth.client_id, RSA, algorithm="RS256"))
    assert response.status_code == 200, response.text
    assert await auth.is_active(response.json()["access_token"])


@ON_SQLITE
async def test_keys_are_fetched_once_and_again_after_a_quarter_of_an_hour(
    auth: AuthUnderTest,
) -> None:
    client_id = await register(auth, EC)
    for _ in range(3):
        assert (await ask(auth, proof(auth, client_id))).status_code == 200
    assert auth.published.fetched == [JWKS_URI]
    auth.clock.advance(seconds=901)
    assert (await ask(auth, proof(auth, client_id))).status_code == 200
    assert auth.published.fetched == [JWKS_URI] * 2


@pytest.mark.standard("RFC 7591 2 jwks_uri")
@ON_SQLITE
async def test_a_new_key_is_found_and_a_withdrawn_one_refused(auth: AuthUnderTest) -> None:
    client_id = await register(auth, EC)
    assert (await ask(auth, proof(auth, client_id))).status_code == 200
    auth.published.publish(JWKS_URI, key_set(OTHER_EC))
    auth.clock.advance(seconds=1)
    # So soon after a fetch there is none: too new a key is an outage, not a wrong one.
    too_soon = await ask(auth, proof(auth, client_id, OTHER_EC))
    assert refusal(too_soon, 503) == "temporarily_unavailable"
    auth.clock.advance(seconds=30)
    assert (await ask(auth, proof(auth, client_id, OTHER_EC))).status_code == 200
    auth.clock.advance(seconds=30)
    assert refusal(await ask(auth, proof(auth, client_id)), 401) == "invalid_client"


@ON_SQLITE
async def test_a_flood_of_unknown_kids_of_a_client_costs_one_fetch(auth: AuthUnderTest) -> None:
    client_id = await register(auth, EC)
    for number in range(5):
        form = proof(auth, client_id, OTHER_EC, kid=f"unknown-{number}")
        assert (await ask(auth, form)).status_code in (401, 503)
        # And nobody else is in the way.
        assert (await ask(auth, proof(auth, client_id))).status_code == 200
    assert auth.published.fetched == [JWKS_URI]


@ON_SQLITE
async def test_a_publisher_that_is_away_is_an_outage_until_a_set_was_fetched(
    auth: AuthUnderTest,
) -> None:
    client_id = await register(auth, EC)
    good = auth.published.documents[JWKS_URI]
    form = proof(auth, client_id)
    auth.published.documents[JWKS_URI] = DocumentUnavailable("away")
    with capture_logs() as logs:
        response = await ask(auth, form)
    # Of many clients with keys, this one's: by its URL, and by the client_id that it claims.
    said = {entry["event"]: entry for entry in logs}
    assert JWKS_URI in said["jwks.fetch_failed"]["reason"]
    assert said["oauth.refused"]["claimed_client_id"] == client_id
    assert refusal(response, 503) == "temporarily_unavailable"
    assert response.headers["retry-after"]
    auth.published.documents[JWKS_URI] = good
    auth.clock.advance(seconds=30)
    # The assertion was not spent on the outage.
    assert (await ask(auth, form)).status_code == 200
    auth.published.documents[JWKS_URI] = DocumentUnavailable("away")
    # Longer than a set is served without asking, which it then is nevertheless.
    auth.clock.advance(minutes=40)
    assert (await ask(auth, proof(auth, client_id))).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"keys": []},
        {"keys": "none"},
        {"keys": [EC.as_dict(private=True)]},
        {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": EC.kid}]},
        {"keys": [EC.as_dict(private=False)] * 21},
    ],
    ids=["nothing", "empty", "no list", "private", "symmetric", "too many"],
)
@ON_SQLITE
async def test_a_document_without_usable_keys_is_no_key_set(
    auth: AuthUnderTest, content: dict[str, Any]
) -> None:
    client_id = await register(auth, EC)
    auth.published.publish(JWKS_URI, content)
    response = await ask(auth, proof(auth, client_id))
    assert refusal(response, 503) == "temporarily_unavailable"


@ON_SQLITE
async def test_one_bad_key_does_not_spoil_the_others(auth: AuthUnderTest) -> None:
    client_id = await register(auth, EC)
    bad = [7, {}, {"kty": "OKP", "crv": "Ed25519", "x": "AA"}, RSA.as_dict(private=True)]
    auth.published.publish(JWKS_URI, {"keys": [*bad, EC.as_dict(private=False)]})
    assert (await ask(auth, proof(auth, client_id))).status_code == 200
    private = proof(auth, client_id, RSA, algorithm="RS256")
    auth.clock.advance(seconds=30)
    assert refusal(await ask(auth, private), 401) == "invalid_client"


async def test_no_connection_to_the_database_is_held_while_keys_are_fetched(
    auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_id = await register(auth, EC)
    database = auth.resources.database
    checked_out: list[int] = []
    fetch = type(auth.published).__call__

    async def observed(self: Any, url: str, *, max_bytes: int) -> FetchedDocument:
        pools = (database._reading.pool, database._writing.pool)
        checked_out.append(sum(pool.checkedout() for pool in pools))  # type: ignore[attr-defined]
        return await fetch(self, url, max_bytes=max_bytes)

    monkeypatch.setattr(type(auth.published), "__call__", observed)
    assert (await ask(auth, proof(auth, client_id))).status_code == 200
    assert checked_out == [0]


async def test_the_sets_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_sets, "MOST_SETS", 3)
    fetched: list[str] = []

    async def fetch(url: str, *, max_bytes: int) -> FetchedDocument:
        assert max_bytes == key_sets.MAX_JWKS_BYTES
        fetched.append(url)
        return FetchedDocument(key_set(EC))

    sets = PublishedKeySets(fetch, lambda: 0.0)
    for name in "abcadab":
        await sets.key_set_for(name, EC.kid)
    # a was used when d came, so b made room for d.
    assert fetched == ["a", "b", "c", "d", "b"]


async def test_keys_take_their_share_of_connections_and_leave_the_documents_theirs() -> None:
    let_go = asyncio.Event()
    asked: list[str] = []

    async def fetch(url: str, *, max_bytes: int) -> FetchedDocument:  # noqa: ARG001
        asked.append(url)
        await let_go.wait()
        return FetchedDocument(key_set(EC))

    sets = PublishedKeySets(fetch, lambda: 0.0)
    urls = [f"https://h{number}.example/keys" for number in range(key_sets.MOST_AT_ONCE + 2)]
    asking = [asyncio.create_task(sets.key_set_for(url, EC.kid)) for url in urls]
    await asyncio.wait(asking[-1:], timeout=5)  # the last is refused at once, after all others
    assert asked == urls[:-2]
    let_go.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    refused = urls[-2:]
    assert [isinstance(answer, JwksUnavailable) for answer in answers] == [
        url in refused for url in urls
    ]
    # What is over counts no longer, and who was refused may ask at once: nothing was tried for it.
    for url in refused:
        assert await sets.key_set_for(url, EC.kid)
    assert key_sets.MOST_AT_ONCE + client_documents.MOST_AT_ONCE <= fetcher.MOST_AT_ONCE
