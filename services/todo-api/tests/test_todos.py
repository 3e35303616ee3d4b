"""Creating, reading, changing and deleting todos, on both databases."""

import asyncio
from typing import Any

import httpx
import pytest

PROBLEM = "application/problem+json"
UNKNOWN = "/api/todos/01990000-0000-7000-8000-ffffffffffff"


async def create(client: httpx.AsyncClient, text: str = "buy milk") -> httpx.Response:
    response = await client.post("/api/todos", json={"text": text})
    assert response.status_code == 201
    return response


async def test_a_new_todo_is_answered_with_201_and_can_be_read_at_its_location(
    alice: httpx.AsyncClient,
) -> None:
    created = await create(alice)
    read = await alice.get(created.headers["location"])
    assert read.status_code == 200
    assert read.json() == created.json()
    assert read.json() == {
        "id": created.headers["location"].removeprefix("/api/todos/"),
        "text": "buy milk",
        "completed": False,
        "created_at": "2026-09-01T12:00:00Z",
        "updated_at": "2026-09-01T12:00:00Z",
    }
    assert read.headers["etag"] == created.headers["etag"] == '"1"'
    assert read.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (" \n buy milk \t", "buy milk"),
        ("x" * 1000, "x" * 1000),
        (" " + "\U0001f95b" * 1000 + " ", "\U0001f95b" * 1000),
        ("Milch\r\n\tund Käse", "Milch\r\n\tund Käse"),
        ("'; DROP TABLE todos; --", "'; DROP TABLE todos; --"),
    ],
)
async def test_a_text_is_kept_as_it_is_but_for_surrounding_white_space(
    alice: httpx.AsyncClient, sent: str, kept: str
) -> None:
    created = await create(alice, sent)
    assert (await alice.get(created.headers["location"])).json()["text"] == kept


@pytest.mark.parametrize(
    ("change", "text", "completed"),
    [
        ({"completed": True}, "buy milk", True),
        ({"text": " buy cheese "}, "buy cheese", False),
        ({"text": "buy cheese", "completed": True}, "buy cheese", True),
        ({"completed": False}, "buy milk", False),
    ],
)
async def test_a_change_touches_what_it_names_and_moves_the_entity_tag(
    alice: httpx.AsyncClient, clock: Any, change: dict[str, Any], text: str, completed: bool
) -> None:
    path = (await create(alice)).headers["location"]
    clock.advance(90.5)
    changed = await alice.patch(path, json=change)
    assert changed.status_code == 200
    assert changed.headers["etag"] == '"2"'
    read = await alice.get(path)
    assert read.json() == changed.json()
    assert (read.json()["text"], read.json()["completed"]) == (text, completed)
    assert read.json()["created_at"] == "2026-09-01T12:00:00Z"
    assert read.json()["updated_at"] == "2026-09-01T12:01:30.500000Z"
    assert read.headers["etag"] == '"2"'


async def test_a_deleted_todo_is_gone(alice: httpx.AsyncClient) -> None:
    path = (await create(alice)).headers["location"]
    deleted = await alice.delete(path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await alice.get(path)).status_code == 404
    assert (await alice.delete(path)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        UNKNOWN,
        "/api/todos/1",
        "/api/todos/undefined",
        "/api/todos/01990000-0000-7000-8000-00000000000g",
        "/api/todos/01990000000070008000000000000000",
        "/api/todos/%7B01990000-0000-7000-8000-000000000000%7D",
        "/api/todos/%00",
        "/api/todos/..%2f..%2flivez",
        "/api/todos/01990000-0000-7000-8000-00000000000%EF%BC%91",
    ],
)
async def test_an_unknown_or_malformed_id_is_answered_with_404(
    alice: httpx.AsyncClient, path: str
) -> None:
    await create(alice)
    for response in (
        await alice.get(path),
        await alice.patch(path, json={"completed": True}),
        await alice.delete(path),
    ):
        assert response.status_code == 404
        assert response.headers["content-type"] == PROBLEM


async def test_somebody_elses_todo_is_answered_exactly_like_one_that_is_not_there(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    created = await create(alice)
    path = created.headers["location"]
    unknown = await bob.get(UNKNOWN)
    for response in (
        await bob.get(path),
        await bob.patch(path, json={"completed": True}),
        await bob.patch(path, json={"completed": True}, headers={"If-Match": '"7"'}),
        await bob.delete(path),
        await bob.delete(path, headers={"If-Match": "*"}),
    ):
        assert (response.status_code, response.json()) == (404, unknown.json())
    assert (await bob.get("/api/todos")).json() == {"todos": [], "next_cursor": None}
    assert (await alice.get(path)).json() == created.json()


async def test_no_change_is_lost_when_many_come_at_once(alice: httpx.AsyncClient) -> None:
    path = (await create(alice)).headers["location"]
    changes: list[dict[str, Any]] = [{"text": "buy cheese"}, {"completed": True}] * 5
    answers = await asyncio.gather(*(alice.patch(path, json=change) for change in changes))
    assert sorted(int(answer.headers["etag"].strip('"')) for answer in answers) == list(
        range(2, 12)
    )
    read = (await alice.get(path)).json()
    assert (read["text"], read["completed"]) == ("buy cheese", True)


async def test_twenty_todos_created_at_once_are_twenty_todos(alice: httpx.AsyncClient) -> None:
    created = await asyncio.gather(*(create(alice, f"todo {number}") for number in range(20)))
    listed = (await alice.get("/api/todos")).json()["todos"]
    assert {todo["text"] for todo in listed} == {f"todo {number}" for number in range(20)}
    assert {todo["id"] for todo in listed} == {todo.json()["id"] for todo in created}


async def test_the_ceiling_holds_when_many_come_at_once(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    answers = await asyncio.gather(
        *(alice.post("/api/todos", json={"text": str(number)}) for number in range(40))
    )
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(409)) == (25, 15)
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.headers["content-type"] == PROBLEM
    assert "25" in refused.json()["detail"]
    listed = (await alice.get("/api/todos")).json()["todos"]
    assert len(listed) == 25
    await create(bob)
    await alice.delete(f"/api/todos/{listed[0]['id']}")
    await create(alice)
