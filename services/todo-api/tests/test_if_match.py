"""Conditional writes, on both databases."""

import asyncio

import httpx
import pytest

PROBLEM = "application/problem+json"
UNKNOWN = "/api/todos/01990000-0000-7000-8000-ffffffffffff"


async def create(client: httpx.AsyncClient, text: str = "buy milk") -> httpx.Response:
    response = await client.post("/api/todos", json={"text": text})
    assert response.status_code == 201
    return response


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('"2"', 0),
        ("*", 0),
        ('"1", "2"', 0),
        ('"unknown" ,, "2"', 0),
        ('"a,b","2",', 0),
        ('"1"', 412),
        ('W/"2"', 412),
        ('"02"', 412),
        ('"1", W/"2"', 412),
        ('""', 412),
        ('"99999999999999999999999999"', 412),
        ("2", 400),
        ("", 400),
        ('"2', 400),
        ('"1" "2"', 400),
        ('*, "2"', 400),
        (", ".join(['"2"'] * 33), 400),
    ],
)
async def test_if_match_lets_a_write_through_only_for_a_version_it_names(
    alice: httpx.AsyncClient, method: str, if_match: str, status: int
) -> None:
    path = (await create(alice)).headers["location"]
    await alice.patch(path, json={"text": "buy cheese"})
    change = {"completed": True} if method == "PATCH" else None
    response = await alice.request(method, path, headers={"If-Match": if_match}, json=change)
    assert response.status_code == (status or (200 if method == "PATCH" else 204))
    read = await alice.get(path)
    if status:
        assert response.headers["content-type"] == PROBLEM
        assert read.json()["text"] == "buy cheese"
        assert read.json()["completed"] is False
    elif method == "DELETE":
        assert read.status_code == 404


async def test_if_match_may_be_spread_over_several_headers(alice: httpx.AsyncClient) -> None:
    path = (await create(alice)).headers["location"]
    spread = [("If-Match", '"7"'), ("If-Match", '"1"')]
    response = await alice.patch(path, json={"completed": True}, headers=spread)
    assert response.status_code == 200


async def test_a_todo_that_is_not_there_is_404_whatever_if_match_says(
    alice: httpx.AsyncClient,
) -> None:
    for if_match in ("*", '"1"'):
        response = await alice.delete(UNKNOWN, headers={"If-Match": if_match})
        assert response.status_code == 404


async def test_of_ten_writers_who_saw_the_same_version_one_wins(alice: httpx.AsyncClient) -> None:
    path = (await create(alice)).headers["location"]
    answers = await asyncio.gather(
        *(
            alice.patch(path, json={"text": f"writer {number}"}, headers={"If-Match": '"1"'})
            for number in range(10)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9
    (winner,) = (answer for answer in answers if answer.status_code == 200)
    assert (await alice.get(path)).json() == winner.json()
