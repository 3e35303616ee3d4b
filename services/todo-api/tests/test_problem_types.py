"""The name of each problem, by which a program tells one refusal from another (RFC 9457 3.1.1)."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

OpenClient = Callable[[str | None], httpx.AsyncClient]

UNKNOWN = "/api/todos/01990000-0000-7000-8000-00000000ffff"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """A problem has the same name on both databases."""
    return sqlite_url


def named(response: httpx.Response, status: int) -> str:
    """The name of the problem; its status is the one of the response."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    return str(problem["type"]).removeprefix("urn:problem:")


async def test_a_refused_token_has_its_own_problem(
    issuer: Any, open_client: OpenClient, anyone: httpx.AsyncClient
) -> None:
    path = "/api/todos"
    twice = [("Authorization", f"Bearer {issuer.token()}")] * 2
    assert named(await anyone.get(path), 401) == "token-required"
    assert named(await anyone.get(path, headers=twice), 400) == "invalid-request"
    assert named(await open_client("a.b.c").get(path), 401) == "invalid-token"
    weak = open_client(issuer.token(scope="openid"))
    assert named(await weak.get(path), 403) == "insufficient-scope"


async def test_an_outage_of_the_issuer_has_its_own_problem(
    issuer: Any, open_client: OpenClient
) -> None:
    issuer.down = True
    response = await open_client(issuer.token()).get("/api/todos")
    assert named(response, 503) == "keys-unavailable"


async def test_a_refused_request_has_its_own_problem(alice: httpx.AsyncClient) -> None:
    path = "/api/todos"
    created = await alice.post(path, json={"text": "buy milk"})
    milk = created.headers["location"]
    done = {"completed": True}
    stale, broken = {"If-Match": '"7"'}, {"If-Match": "7"}
    assert named(await alice.post(path, content=b"x"), 415) == "unsupported-media-type"
    assert named(await alice.post(path, json={"text": 5}), 422) == "invalid-request"
    assert named(await alice.patch(milk, json=done, headers=broken), 400) == "invalid-if-match"
    assert named(await alice.patch(milk, json=done, headers=stale), 412) == "todo-changed"
    assert named(await alice.get(UNKNOWN), 404) == "todo-not-found"
    assert named(await alice.put(path), 405) == "method-not-allowed"


async def test_a_full_list_has_its_own_problem(alice: httpx.AsyncClient) -> None:
    for number in range(25):
        assert (await alice.post("/api/todos", json={"text": f"{number}"})).status_code == 201
    response = await alice.post("/api/todos", json={"text": "one more"})
    assert named(response, 409) == "too-many-todos"
