"""The real client of todo-api against an HTTP server on the loopback interface."""

import json
from typing import Any

import pytest
from answering_peers import Handler, Peer, answering, hang, hang_up, peer

from mcp_server.todo_client import (
    AiohttpTodoApi,
    DownstreamScopeRefused,
    DownstreamTokenRefused,
    TodoApiError,
    TodoApiUnavailable,
    TodoConflict,
    TodoInvalid,
    TodoNotFound,
)

TODO = {
    "id": "9a1c",
    "text": "buy milk",
    "completed": False,
    "created_at": "2026-08-22T10:00:00Z",
    "updated_at": "2026-08-22T10:00:00Z",
}


def todo_api(api: Peer) -> AiohttpTodoApi:
    return AiohttpTodoApi(api.session, api_url=api.url)


async def test_a_page_is_read_with_its_filters() -> None:
    async with peer(answering(200, {"todos": [TODO], "next_cursor": "n"})) as api:
        page = await todo_api(api).list_todos("token", completed=False, cursor="a&b=c", limit=5)

    assert [todo.id for todo in page.todos] == ["9a1c"]
    assert page.next_cursor == "n"
    assert api.requests[0]["path"] == "/api/todos?limit=5&cursor=a%26b%3Dc&completed=false"
    assert api.requests[0]["headers"]["Authorization"] == "Bearer token"


async def test_a_page_is_asked_for_without_filters_nobody_set() -> None:
    async with peer(answering(200, {"todos": [], "next_cursor": None})) as api:
        await todo_api(api).list_todos("token", completed=None, cursor=None, limit=50)

    assert api.requests[0]["path"] == "/api/todos?limit=50"


async def test_creating_and_changing_send_json() -> None:
    async with peer(answering(201, TODO)) as api:
        created = await todo_api(api).create_todo("token", text="buy milk")
        await todo_api(api).set_todo_status("token", todo_id="9a1c", completed=True)

    assert created.text == "buy milk"
    assert [(r["method"], r["path"], json.loads(r["body"])) for r in api.requests] == [
        ("POST", "/api/todos", {"text": "buy milk"}),
        ("PATCH", "/api/todos/9a1c", {"completed": True}),
    ]


async def test_one_todo_is_read_at_its_own_path() -> None:
    async with peer(answering(200, TODO)) as api:
        todo = await todo_api(api).get_todo("token", todo_id="9a1c")

    request = api.requests[0]
    assert (request["method"], request["path"]) == ("GET", "/api/todos/9a1c")
    assert request["headers"]["Authorization"] == "Bearer token"
    assert (todo.id, todo.text) == ("9a1c", "buy milk")


async def test_deleting_takes_an_empty_answer() -> None:
    async with peer(answering(204, b"")) as api:
        await todo_api(api).delete_todo("token", todo_id="9a1c")

    assert (api.requests[0]["method"], api.requests[0]["path"]) == ("DELETE", "/api/todos/9a1c")


@pytest.mark.parametrize(
    ("todo_id", "path"),
    [
        ("../../admin", "/api/todos/..%2F..%2Fadmin"),
        ("a?b#c", "/api/todos/a%3Fb%23c"),
        ("%2e%2e", "/api/todos/%252e%252e"),
        ("a\r\nb", "/api/todos/a%0D%0Ab"),
        ("ä", "/api/todos/%C3%A4"),
    ],
)
async def test_an_id_is_one_path_segment_whatever_it_holds(todo_id: str, path: str) -> None:
    async with peer(answering(204, b"")) as api:
        await todo_api(api).delete_todo("token", todo_id=todo_id)

    assert api.requests[0]["path"] == path


@pytest.mark.parametrize("todo_id", ["", ".", ".."])
async def test_an_id_that_would_climb_out_is_never_sent(todo_id: str) -> None:
    async with peer(answering(204, b"")) as api:
        with pytest.raises(TodoNotFound):
            await todo_api(api).delete_todo("token", todo_id=todo_id)

    assert api.requests == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, TodoInvalid),
        (401, DownstreamTokenRefused),
        (403, DownstreamScopeRefused),
        (404, TodoNotFound),
        (409, TodoConflict),
        (422, TodoInvalid),
        (429, TodoApiUnavailable),
        (500, TodoApiUnavailable),
        (503, TodoApiUnavailable),
        (302, TodoApiUnavailable),
    ],
)
async def test_each_problem_of_the_api_has_its_type_and_keeps_its_detail(
    status: int, error: type[TodoApiError]
) -> None:
    async with peer(answering(status, {"detail": "because" + "." * 1000}, Location="/x")) as api:
        with pytest.raises(error) as caught:
            await todo_api(api).create_todo("token", text="x")

    assert type(caught.value) is error
    assert caught.value.detail == "because" + "." * 293
    assert len(api.requests) == 1


@pytest.mark.parametrize("document", [b"", b"<html>", [], {"detail": ["x"]}, {"detail": 5}])
async def test_a_problem_without_a_usable_detail_is_still_its_type(document: Any) -> None:
    async with peer(answering(409, document)) as api:
        with pytest.raises(TodoConflict) as caught:
            await todo_api(api).create_todo("token", text="x")

    assert caught.value.detail == ""


@pytest.mark.parametrize(
    "answer",
    [
        answering(200, b""),
        answering(200, [TODO]),
        answering(200, TODO | {"id": 5}),
        answering(200, TODO | {"created_at": "yesterday"}),
        answering(200, TODO | {"created_at": "2026-08-22T10:00:00"}),
        answering(200, TODO | {"text": "x" * 1_100_000}),
        hang_up,
    ],
)
async def test_an_answer_unlike_the_contract_is_an_outage(answer: Handler) -> None:
    async with peer(answer) as api:
        with pytest.raises(TodoApiUnavailable):
            await todo_api(api).create_todo("token", text="x")


async def test_an_api_that_does_not_answer_in_time_is_an_outage() -> None:
    async with peer(hang, timeout_seconds=0.05) as api:
        with pytest.raises(TodoApiUnavailable):
            await todo_api(api).create_todo("token", text="x")
