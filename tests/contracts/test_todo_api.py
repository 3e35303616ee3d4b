"""What todo-api answers is what mcp's client reads, with the token that auth hands out."""

from typing import Any
from uuid import uuid4

import pytest

from mcp_server.todo_client import (
    DownstreamScopeRefused,
    DownstreamTokenRefused,
    TodoConflict,
    TodoInvalid,
    TodoNotFound,
)
from mcp_server.tools import todos as tool_limits
from todo_api.endpoints.documents import DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT
from todo_api.todos import MAX_TEXT_LENGTH

CEILING = 101


@pytest.fixture
async def token(vouch: Any) -> str:
    """A downstream token as the MCP server gets it."""
    return str((await vouch()).downstream_token.access_token)


async def test_a_todo_lives_from_creation_to_deletion(todo_api: Any, token: str) -> None:
    milk = await todo_api.create_todo(token, text="  Milch, Käse & “Brot” 🥖\n")
    assert (milk.text, milk.completed) == ("Milch, Käse & “Brot” 🥖", False)
    assert milk.created_at.tzinfo is not None
    done = await todo_api.set_todo_status(token, todo_id=milk.id, completed=True)
    assert (done.id, done.completed) == (milk.id, True)
    assert await todo_api.get_todo(token, todo_id=milk.id) == done
    page = await todo_api.list_todos(token, completed=None, cursor=None, limit=10)
    assert (page.todos, page.next_cursor) == ([done], None)
    await todo_api.delete_todo(token, todo_id=milk.id)
    page = await todo_api.list_todos(token, completed=None, cursor=None, limit=10)
    assert page.todos == []


async def test_pages_follow_each_other_and_completion_filters(todo_api: Any, token: str) -> None:
    made = [await todo_api.create_todo(token, text=f"Number {number}") for number in range(5)]
    await todo_api.set_todo_status(token, todo_id=made[1].id, completed=True)
    seen, cursor = [], None
    while True:
        page = await todo_api.list_todos(token, completed=None, cursor=cursor, limit=2)
        seen += [todo.id for todo in page.todos]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [todo.id for todo in made]
    done = await todo_api.list_todos(token, completed=True, cursor=None, limit=10)
    assert [todo.id for todo in done.todos] == [made[1].id]
    still_open = await todo_api.list_todos(token, completed=False, cursor=None, limit=10)
    assert len(still_open.todos) == 4


@pytest.mark.standard("RFC 9457 3.1.1")
async def test_each_refusal_of_the_api_is_the_error_that_the_tools_explain(
    todo_api: Any, token: str, vouch: Any
) -> None:
    for unknown in (str(uuid4()), "not-an-id", ".."):
        with pytest.raises(TodoNotFound):
            await todo_api.get_todo(token, todo_id=unknown)
        with pytest.raises(TodoNotFound):
            await todo_api.delete_todo(token, todo_id=unknown)
    with pytest.raises(TodoInvalid, match="text"):
        await todo_api.create_todo(token, text="a bell \a rings")
    with pytest.raises(TodoInvalid):
        await todo_api.list_todos(token, completed=None, cursor="not-a-cursor", limit=1)
    with pytest.raises(DownstreamTokenRefused):
        await todo_api.create_todo("not.a.token", text="Nobody's")
    reader = (await vouch("todo_api:read")).downstream_token.access_token
    with pytest.raises(DownstreamScopeRefused):
        await todo_api.create_todo(reader, text="Not allowed to write")


async def test_the_limits_that_tools_announce_are_the_limits_of_the_api() -> None:
    assert tool_limits.MAX_TEXT == MAX_TEXT_LENGTH
    assert tool_limits.MAX_PAGE == MAX_PAGE_LIMIT
    assert tool_limits.DEFAULT_PAGE == DEFAULT_PAGE_LIMIT


async def test_the_largest_page_fits_and_the_ceiling_is_a_conflict(
    todo_api: Any, token: str
) -> None:
    widest = "🥖" * MAX_TEXT_LENGTH
    for _ in range(CEILING):
        await todo_api.create_todo(token, text=widest)
    page = await todo_api.list_todos(token, completed=None, cursor=None, limit=MAX_PAGE_LIMIT)
    assert len(page.todos) == MAX_PAGE_LIMIT
    assert {todo.text for todo in page.todos} == {widest}
    assert page.next_cursor is not None
    with pytest.raises(TodoConflict, match=str(CEILING)):
        await todo_api.create_todo(token, text="One too many")
