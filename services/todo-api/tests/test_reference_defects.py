"""What the reference implementation (Ping Identity's Cloudflare Workers sample) got wrong.

Each test is named after what must not happen. docs/threat-model.md lists all defects; the others
are where their subject is.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

OpenClient = Callable[[str | None], httpx.AsyncClient]
UNKNOWN = "/api/todos/01990000-0000-7000-8000-ffffffffffff"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """None of this depends on the database."""
    return sqlite_url


async def test_the_keys_of_the_issuer_are_not_fetched_at_every_request(
    issuer: Any, open_client: OpenClient
) -> None:
    """Defect 15: a key set was made, and fetched, for each request."""
    for sub in ("alice", "bob", "carol"):
        client = open_client(issuer.token(sub=sub))
        for _ in range(5):
            assert (await client.get("/api/todos")).status_code == 200
    assert len(issuer.fetched) == len(set(issuer.fetched)) == 2


@pytest.mark.parametrize("scheme", ["Basic", "Token", "Bearer2", "Bearer:", "xxxxxx"])
async def test_a_token_under_another_scheme_is_not_accepted(
    issuer: Any, anyone: httpx.AsyncClient, scheme: str
) -> None:
    """Defect 16: the first seven characters were cut off, whatever they were."""
    header = {"Authorization": f"{scheme} {issuer.token()}"}
    response = await anyone.get("/api/todos", headers=header)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_that_never_expires_is_not_accepted(
    issuer: Any, open_client: OpenClient
) -> None:
    """Defect 16: `exp` was checked only if it was there, `typ` never."""
    for token in (issuer.token(exp=...), issuer.token(header={"typ": "logout+jwt"})):
        response = await open_client(token).get("/api/todos")
        assert response.status_code == 401
        assert 'error="invalid_token"' in response.headers["www-authenticate"]


async def test_a_scope_is_not_granted_by_a_longer_one_that_contains_it(
    issuer: Any, open_client: OpenClient
) -> None:
    """Defect 17: `.includes` on PingOne's string found a scope inside another."""
    reader = open_client(issuer.token(scope="todo_api:readonly"))
    assert (await reader.get("/api/todos")).status_code == 403
    writer = open_client(issuer.token(scope="not_todo_api:write"))
    assert (await writer.post("/api/todos", json={"text": "buy milk"})).status_code == 403


@pytest.mark.parametrize("sub", [..., None, "", 0], ids=str)
async def test_people_without_a_name_do_not_share_their_todos(
    issuer: Any, open_client: OpenClient, sub: Any
) -> None:
    """Defect 18: tokens without `sub` all had the key "undefined"."""
    client = open_client(issuer.token(sub=sub))
    assert (await client.post("/api/todos", json={"text": "buy milk"})).status_code == 401
    assert (await client.get("/api/todos")).status_code == 401


async def test_a_todo_is_not_lost_or_confused_when_two_are_written_at_once(
    alice: httpx.AsyncClient,
) -> None:
    """Defect 19: the list was read, changed and written as a whole; ids were milliseconds."""
    created = await asyncio.gather(
        *(alice.post("/api/todos", json={"text": f"todo {number}"}) for number in range(10))
    )
    paths = [response.headers["location"] for response in created]
    assert len(set(paths)) == 10
    await asyncio.gather(
        *(alice.patch(path, json={"completed": True}) for path in paths[:5]),
        *(alice.delete(path) for path in paths[5:]),
    )
    todos = (await alice.get("/api/todos")).json()["todos"]
    assert {(todo["text"], todo["completed"]) for todo in todos} == {
        (f"todo {number}", True) for number in range(5)
    }


async def test_what_does_not_exist_or_cannot_be_read_is_not_called_a_success_or_a_crash(
    alice: httpx.AsyncClient,
) -> None:
    """Defect 20: unknown ids were answered with 200, and broken JSON with 500."""
    json_type = {"Content-Type": "application/json"}
    assert (await alice.patch(UNKNOWN, json={"completed": True})).status_code == 404
    assert (await alice.delete(UNKNOWN)).status_code == 404
    broken = await alice.post("/api/todos", content=b'{"text": ', headers=json_type)
    assert broken.status_code == 400
    endless = await alice.post("/api/todos", json={"text": "x" * 100_000})
    assert endless.status_code in {413, 422}
    assert (await alice.get("/api/todos")).json()["todos"] == []
