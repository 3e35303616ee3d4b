"""The real clients of auth and todo-api against an HTTP server on the loopback interface."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mcp_server.handle_verifier import AiohttpIntrospector, IntrospectionUnavailable
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
from service_kit.http_client import create_session

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TODO = {
    "id": "9a1c",
    "text": "buy milk",
    "completed": False,
    "created_at": "2026-08-22T10:00:00Z",
    "updated_at": "2026-08-22T10:00:00Z",
}


@dataclass
class Peer:
    """A server that answers what it is told and remembers what it was asked."""

    url: str
    session: aiohttp.ClientSession
    requests: list[dict[str, Any]] = field(default_factory=list)

    def introspector(self, secret: str = "p/ä: s+") -> AiohttpIntrospector:
        return AiohttpIntrospector(
            self.session, auth_internal_url=self.url, client_id="mcp server", client_secret=secret
        )

    def todo_api(self) -> AiohttpTodoApi:
        return AiohttpTodoApi(self.session, api_url=self.url)


@asynccontextmanager
async def peer(answer: Handler, *, timeout_seconds: float = 5.0) -> AsyncIterator[Peer]:
    app = web.Application()
    server = TestServer(app)
    async with create_session(total_timeout_seconds=timeout_seconds) as session:
        found = Peer("", session)

        async def remember(request: web.Request) -> web.StreamResponse:
            found.requests.append(
                {
                    "method": request.method,
                    "path": request.raw_path,
                    "headers": request.headers.copy(),
                    "body": await request.text(),
                }
            )
            return await answer(request)

        app.router.add_route("*", "/{path:(?s:.*)}", remember)
        async with server:
            found.url = f"http://127.0.0.1:{server.port}"
            yield found


def answering(status: int, document: Any, **headers: str) -> Handler:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def hang(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.standard("RFC 7662 2.1 request")
async def test_introspection_is_a_form_with_form_encoded_basic_credentials(world: "World") -> None:
    async with peer(answering(200, {"active": False})) as auth:
        answer = await auth.introspector()(world.sign_in())

    request = auth.requests[0]
    credentials = base64.b64decode(request["headers"]["Authorization"].removeprefix("Basic "))
    assert answer == {"active": False}
    assert (request["method"], request["path"]) == ("POST", "/introspect")
    assert credentials == b"mcp+server:p%2F%C3%A4%3A+s%2B"
    assert request["body"] == f"token={world.sign_in()}&token_type_hint=access_token"
    assert request["headers"]["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "answer",
    [
        answering(500, {"active": False}),
        answering(503, {}),
        answering(429, {}),
        answering(401, {"error": "invalid_client"}),
        answering(403, {"active": False}),
        answering(204, b""),
        answering(302, {"active": False}, Location="/elsewhere"),
        answering(200, b""),
        answering(200, b"<html>"),
        answering(200, [{"active": False}]),
        answering(200, b"[" * 60_000),
        answering(200, {"active": False, "padding": "x" * 70_000}),
    ],
)
async def test_whatever_is_not_a_json_object_with_200_is_an_outage(
    world: "World", answer: Handler
) -> None:
    async with peer(answer) as auth:
        with pytest.raises(IntrospectionUnavailable) as caught:
            await auth.introspector()(world.sign_in())

    assert len(auth.requests) == 1
    assert world.sign_in() not in str(caught.value)


async def test_a_connection_that_auth_has_closed_is_tried_once_more(world: "World") -> None:
    async with peer(hang_up) as auth:
        with pytest.raises(IntrospectionUnavailable):
            await auth.introspector()(world.sign_in())
    assert len(auth.requests) == 2

    calls = iter([hang_up, answering(200, {"active": False})])

    async def replaced(request: web.Request) -> web.StreamResponse:
        return await next(calls)(request)

    async with peer(replaced) as auth:
        assert await auth.introspector()(world.sign_in()) == {"active": False}


async def test_an_auth_that_does_not_answer_in_time_is_an_outage(world: "World") -> None:
    async with peer(hang, timeout_seconds=0.05) as auth:
        with pytest.raises(IntrospectionUnavailable):
            await auth.introspector()(world.sign_in())


async def test_an_auth_that_is_not_there_is_an_outage(world: "World", unused_tcp_port: int) -> None:
    async with peer(answering(200, {})) as auth:
        auth.url = f"http://127.0.0.1:{unused_tcp_port}"
        with pytest.raises(IntrospectionUnavailable):
            await auth.introspector()(world.sign_in())


async def test_refused_credentials_are_said_clearly_and_without_the_secret(
    world: "World", capsys: pytest.CaptureFixture[str]
) -> None:
    async with peer(answering(401, {})) as auth:
        with pytest.raises(IntrospectionUnavailable):
            await auth.introspector("hush-hush")(world.sign_in())

    logged = "".join(capsys.readouterr())
    assert "introspection.credentials_refused" in logged
    assert "INTROSPECTION_CLIENT_SECRET" in logged
    assert "hush" not in logged


async def test_a_page_is_read_with_its_filters() -> None:
    async with peer(answering(200, {"todos": [TODO], "next_cursor": "n"})) as api:
        page = await api.todo_api().list_todos("token", completed=False, cursor="a&b=c", limit=5)

    assert [todo.id for todo in page.todos] == ["9a1c"]
    assert page.next_cursor == "n"
    assert api.requests[0]["path"] == "/api/todos?limit=5&cursor=a%26b%3Dc&completed=false"
    assert api.requests[0]["headers"]["Authorization"] == "Bearer token"


async def test_a_page_is_asked_for_without_filters_nobody_set() -> None:
    async with peer(answering(200, {"todos": [], "next_cursor": None})) as api:
        await api.todo_api().list_todos("token", completed=None, cursor=None, limit=50)

    assert api.requests[0]["path"] == "/api/todos?limit=50"


async def test_creating_and_changing_send_json() -> None:
    async with peer(answering(201, TODO)) as api:
        created = await api.todo_api().create_todo("token", text="buy milk")
        await api.todo_api().set_todo_status("token", todo_id="9a1c", completed=True)

    assert created.text == "buy milk"
    assert [(r["method"], r["path"], json.loads(r["body"])) for r in api.requests] == [
        ("POST", "/api/todos", {"text": "buy milk"}),
        ("PATCH", "/api/todos/9a1c", {"completed": True}),
    ]


async def test_deleting_takes_an_empty_answer() -> None:
    async with peer(answering(204, b"")) as api:
        await api.todo_api().delete_todo("token", todo_id="9a1c")

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
        await api.todo_api().delete_todo("token", todo_id=todo_id)

    assert api.requests[0]["path"] == path


@pytest.mark.parametrize("todo_id", ["", ".", ".."])
async def test_an_id_that_would_climb_out_is_never_sent(todo_id: str) -> None:
    async with peer(answering(204, b"")) as api:
        with pytest.raises(TodoNotFound):
            await api.todo_api().delete_todo("token", todo_id=todo_id)

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
            await api.todo_api().create_todo("token", text="x")

    assert type(caught.value) is error
    assert caught.value.detail == "because" + "." * 293
    assert len(api.requests) == 1


@pytest.mark.parametrize("document", [b"", b"<html>", [], {"detail": ["x"]}, {"detail": 5}])
async def test_a_problem_without_a_usable_detail_is_still_its_type(document: Any) -> None:
    async with peer(answering(409, document)) as api:
        with pytest.raises(TodoConflict) as caught:
            await api.todo_api().create_todo("token", text="x")

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
            await api.todo_api().create_todo("token", text="x")


async def test_an_api_that_does_not_answer_in_time_is_an_outage() -> None:
    async with peer(hang, timeout_seconds=0.05) as api:
        with pytest.raises(TodoApiUnavailable):
            await api.todo_api().create_todo("token", text="x")
