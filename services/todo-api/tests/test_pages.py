"""Pages of todos, on both databases."""

from typing import Any

import httpx


async def create(client: httpx.AsyncClient, *texts: str) -> list[dict[str, Any]]:
    return [(await client.post("/api/todos", json={"text": text})).json() for text in texts]


async def page(client: httpx.AsyncClient, **query: Any) -> tuple[list[str], str | None]:
    response = await client.get("/api/todos", params=query)
    assert response.status_code == 200
    document = response.json()
    return [todo["text"] for todo in document["todos"]], document["next_cursor"]


async def test_pages_follow_each_other_oldest_first_and_the_last_has_no_cursor(
    alice: httpx.AsyncClient,
) -> None:
    await create(alice, *"abcde")
    first, cursor = await page(alice, limit=2)
    second, cursor = await page(alice, limit=2, cursor=cursor)
    third, end = await page(alice, limit=2, cursor=cursor)
    assert [first, second, third] == [["a", "b"], ["c", "d"], ["e"]]
    assert end is None


async def test_a_full_last_page_has_no_cursor(alice: httpx.AsyncClient) -> None:
    await create(alice, *"abcd")
    _, cursor = await page(alice, limit=2)
    assert await page(alice, limit=2, cursor=cursor) == (["c", "d"], None)


async def test_nothing_is_skipped_or_repeated_while_todos_come_and_go(
    alice: httpx.AsyncClient,
) -> None:
    todos = await create(alice, *"abcde")
    seen, cursor = await page(alice, limit=2)
    await create(alice, "new 1")
    await alice.delete(f"/api/todos/{todos[0]['id']}")
    # The very todo that the cursor was made from may go.
    await alice.delete(f"/api/todos/{todos[1]['id']}")
    texts, cursor = await page(alice, limit=2, cursor=cursor)
    seen += texts
    await create(alice, "new 2")
    texts, cursor = await page(alice, limit=100, cursor=cursor)
    seen += texts
    assert seen == ["a", "b", "c", "d", "e", "new 1", "new 2"]
    assert cursor is None


async def test_pages_can_be_limited_to_what_is_done_or_is_not(alice: httpx.AsyncClient) -> None:
    for todo in (await create(alice, *"abcdef"))[::2]:
        await alice.patch(f"/api/todos/{todo['id']}", json={"completed": True})
    done, cursor = await page(alice, completed="true", limit=2)
    assert done == ["a", "c"]
    assert await page(alice, completed="true", limit=2, cursor=cursor) == (["e"], None)
    assert await page(alice, completed="false") == (["b", "d", "f"], None)
    assert await page(alice) == (["a", "b", "c", "d", "e", "f"], None)


async def test_somebody_elses_cursor_shows_only_ones_own_todos(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    await create(alice, *"abc")
    _, cursor = await page(alice, limit=1)
    await create(bob, "d")
    assert await page(bob, cursor=cursor) == (["d"], None)
