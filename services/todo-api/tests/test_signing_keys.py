"""Where the issuer's keys come from, and what happens when they cannot be had."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey

from todo_api.settings import TodoApiSettings

OpenClient = Callable[[str | None], httpx.AsyncClient]

ISSUER = "https://auth.pingone.eu/5f0f6d6c-0000-4000-8000-000000000000/as"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
JWKS = f"{ISSUER}/jwks"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Keys are the same on both databases."""
    return sqlite_url


@pytest.fixture
def new_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "rsa-2", "use": "sig"})


async def test_the_key_set_is_discovered_and_fetched_once_for_many_tokens(
    issuer: Any, open_client: OpenClient
) -> None:
    for number in range(5):
        client = open_client(issuer.token(sub=f"user-{number}"))
        assert (await client.get("/api/todos")).status_code == 200
    assert issuer.fetched == [DISCOVERY, JWKS]


async def test_a_flood_of_unknown_kids_costs_one_fetch_per_cool_down(
    issuer: Any, open_client: OpenClient, clock: Any
) -> None:
    assert (await open_client(issuer.token()).get("/api/todos")).status_code == 200
    for minute in range(1, 4):
        clock.advance(30)
        for number in range(20):
            forged = issuer.token(header={"kid": f"{minute}-{number}"})
            assert (await open_client(forged).get("/api/todos")).status_code == 401
        assert issuer.fetched.count(JWKS) == 1 + minute
    assert issuer.fetched.count(DISCOVERY) == 1


@pytest.mark.standard("RFC 9068 4 keys")
async def test_a_new_signing_key_is_found_after_the_cool_down(
    issuer: Any, open_client: OpenClient, clock: Any, new_key: RSAKey
) -> None:
    assert (await open_client(issuer.token()).get("/api/todos")).status_code == 200
    issuer.published = [new_key]
    clock.advance(30)
    assert (await open_client(issuer.token(key=new_key)).get("/api/todos")).status_code == 200


@pytest.mark.standard("RFC 9068 4 signature")
async def test_a_withdrawn_key_verifies_nothing_once_the_set_is_read_again(
    issuer: Any, open_client: OpenClient, clock: Any, new_key: RSAKey
) -> None:
    client = open_client(issuer.token(exp=issuer.issued() + 86_400))
    assert (await client.get("/api/todos")).status_code == 200
    issuer.published = [new_key]
    clock.advance(3600)
    assert (await client.get("/api/todos")).status_code == 401


async def test_an_outage_of_the_issuer_is_503_and_never_a_bad_token(
    issuer: Any, open_client: OpenClient, clock: Any
) -> None:
    client = open_client(issuer.token())
    issuer.down = True
    response = await client.get("/api/todos")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "30"
    assert "www-authenticate" not in response.headers
    issuer.down = False
    clock.advance(30)
    assert (await client.get("/api/todos")).status_code == 200


async def test_an_outage_after_the_start_goes_unnoticed(
    issuer: Any, open_client: OpenClient, clock: Any
) -> None:
    assert (await open_client(issuer.token()).get("/api/todos")).status_code == 200
    issuer.down = True
    clock.advance(7200)
    assert (await open_client(issuer.token()).get("/api/todos")).status_code == 200


@pytest.mark.standard("RFC 9068 4 issuer")
@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": ISSUER + "/", "jwks_uri": JWKS},
        {"jwks_uri": JWKS},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "jwks_uri": 1},
        {"issuer": ISSUER, "jwks_uri": "http://auth.pingone.eu/jwks"},
        {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
    ],
)
async def test_metadata_that_is_not_the_issuers_is_not_used(
    issuer: Any, open_client: OpenClient, metadata: dict[str, Any]
) -> None:
    issuer.metadata = metadata
    assert (await open_client(issuer.token()).get("/api/todos")).status_code == 503
    assert issuer.fetched == [DISCOVERY]


class TestAConfiguredKeySetUrl:
    @pytest.fixture
    def settings(self) -> TodoApiSettings:
        return TodoApiSettings(
            todo_public_url="http://localhost:8082",
            api_issuer=ISSUER,
            api_jwks_uri="http://simulator:9080/e/as/jwks",
        )

    async def test_replaces_discovery(self, issuer: Any, open_client: OpenClient) -> None:
        assert (await open_client(issuer.token()).get("/api/todos")).status_code == 200
        assert issuer.fetched == ["http://simulator:9080/e/as/jwks"]
