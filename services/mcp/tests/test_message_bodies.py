"""Which request bodies are read as one message: size, depth, time, form."""

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

MODERN = "2026-07-28"
LEGACY = "2025-11-25"


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_bound_is_413(world: "World", era: str, declared: bool) -> None:
    async def chunks() -> Any:
        for _ in range(17):
            yield b" " * 65536

    content: Any = b" " * (1024 * 1024 + 1) if declared else chunks()
    async with world.running() as door:
        response = await door.http.post(
            "/mcp",
            content=content,
            headers={
                "Authorization": f"Bearer {world.sign_in()}",
                "Content-Type": "application/json",
                "MCP-Protocol-Version": era,
            },
        )

    assert response.status_code == 413
    assert response.json()["jsonrpc"] == "2.0"


async def test_a_compressed_body_is_415_and_not_unpacked(world: "World", era: str) -> None:
    async with world.running() as door:
        request = door.request("tools/list", handle=world.sign_in(), version=era)
        content = gzip.compress(request.content)
        headers = {**request.headers, "content-length": str(len(content))}
        headers["content-encoding"] = "gzip"
        response = await door.http.post("/mcp", content=content, headers=headers)

    assert response.status_code == 415
    assert response.headers["accept-encoding"] == "identity"
    assert "compressed" in response.json()["error"]["message"]


async def test_a_message_is_rejected_by_depth_and_a_shallow_large_one_is_not(
    world: "World", era: str
) -> None:
    deep: Any = []
    for _ in range(70):
        deep = [deep]
    wide = {"text": "x", "more": [[] for _ in range(200)]}
    async with world.running() as door:
        handle = world.sign_in()
        refused = await door.call("create_todo", {"text": deep}, handle=handle, version=era)
        admitted = await door.call("create_todo", wide, handle=handle, version=era)

    assert refused.status_code == 400
    assert "nested" in refused.json()["error"]["message"]
    assert admitted.status_code == 200


@pytest.mark.standard("MCP 2026-07-28 streamable-http: one message")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_todo"}}]',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"jsonrpc":"1.0","id":1,"method":"secret"}',
        b'{"jsonrpc":"2.0","id":{"secret":1},"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":true,"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":1,"method":["secret"]}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":["secret"]}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":NaN}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":1e999}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":' + b"9" * 5000 + b"}}",
        b'{"jsonrpc":"2.0","id":"\\ud800","method":"tools/list"}',
        b"\xff\xfe{\x00}\x00",
        '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'.encode("utf-16"),
    ],
)
async def test_what_is_not_one_message_is_400_and_not_quoted(
    world: "World", era: str, body: bytes
) -> None:
    async with world.running() as door:
        response = await door.http.post(
            "/mcp",
            content=body,
            headers={
                "Authorization": f"Bearer {world.sign_in()}",
                "Content-Type": "application/json",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": era,
            },
        )

    assert response.status_code == 400
    assert response.json()["error"]["code"] in {-32700, -32600}
    assert "secret" not in response.text
    assert "pydantic" not in response.text


@pytest.mark.parametrize(
    "params",
    [
        {"name": ["secret"]},
        {"name": None},
        {},
        {"name": "list_todos", "arguments": "secret"},
        {"name": "list_todos", "arguments": ["secret"]},
        {"name": "list_todos", "_meta": "secret"},
        {"name": "list_todos", "inputResponses": "secret"},
        {"name": "list_todos", "inputResponses": {"x": {"action": "secret"}}},
        {"name": "list_todos", "requestState": {"secret": 1}},
        {"name": "list_todos", "requestState": "secret"},
    ],
)
async def test_malformed_parameters_are_an_invalid_params_error_without_what_was_sent(
    world: "World", era: str, params: dict[str, Any]
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "Authorization": f"Bearer {world.sign_in()}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": era,
    }
    if era == MODERN:
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": str(params.get("name"))}
        meta = {"io.modelcontextprotocol/protocolVersion": MODERN}
        params.setdefault("_meta", meta | {"io.modelcontextprotocol/clientCapabilities": {}})
    async with world.running() as door:
        response = await door.http.post("/mcp", json=message, headers=headers)

    assert response.status_code in {200, 400}
    assert response.json()["error"]["code"] in {-32602, -32020}
    assert "secret" not in response.text
    assert "pydantic" not in response.text
    assert world.todo_api.calls == []


async def test_of_two_members_with_one_name_the_sdk_gets_the_one_that_was_checked(
    world: "World",
) -> None:
    body = (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call",'
        b'"params":{"name":"list_todos","name":"delete_todo","arguments":{"todo_id":"x"}}}'
    )
    async with world.running() as door:
        response = await door.http.post(
            "/mcp",
            content=body,
            headers={
                "Authorization": f"Bearer {world.sign_in(scope='todo_api:read')}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "MCP-Protocol-Version": LEGACY,
            },
        )

    assert response.status_code == 403
    assert world.todo_api.calls == []


async def test_a_body_that_does_not_arrive_is_408(
    world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never() -> Any:
        await asyncio.Event().wait()
        yield b""

    monkeypatch.setattr("mcp_server.bearer.request_body.READ_SECONDS", 0.01)
    async with world.running() as door:
        headers = {
            "Authorization": f"Bearer {world.sign_in()}",
            "Content-Type": "application/json",
        }
        response = await door.http.post("/mcp", content=never(), headers=headers)

    assert response.status_code == 408


async def test_a_client_that_hangs_up_within_its_body_gets_no_answer_and_makes_no_error(
    world: "World",
) -> None:
    sent: list[Any] = []
    events = [
        {"type": "http.request", "body": b'{"json', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return events.pop(0)

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "query_string": b"",
        "headers": [
            (b"host", b"localhost:8081"),
            (b"authorization", f"Bearer {world.sign_in()}".encode()),
            (b"content-type", b"application/json"),
        ],
    }
    async with world.running() as door:
        await door.app(scope, receive, send)

    assert sent == []


async def test_size_and_depth_are_bounded_as_configured(world: "World", era: str) -> None:
    world.variables |= {"mcp_max_body_bytes": 16 * 1024, "mcp_max_depth": 16}
    deep: Any = "x"
    for _ in range(20):
        deep = [deep]
    async with world.running() as door:
        handle = world.sign_in()
        long = await door.call("create_todo", {"text": "x" * 17_000}, handle=handle, version=era)
        nested = await door.call("create_todo", {"text": deep}, handle=handle, version=era)

    assert long.status_code == 413
    assert "16384 bytes" in long.json()["error"]["message"]
    assert nested.status_code == 400
    assert "deeper than 16 levels" in nested.json()["error"]["message"]


async def test_the_widest_bounds_are_kept_by_the_sdk_too(world: "World", era: str) -> None:
    world.variables |= {"mcp_max_body_bytes": 16 * 1024 * 1024, "mcp_max_depth": 128}
    deep: Any = "x"
    for _ in range(124):
        deep = [deep]
    async with world.running() as door:
        handle = world.sign_in()
        long = {"text": "x" * (5 * 1024 * 1024)}
        for arguments in (long, {"text": deep}):
            answer = await door.call("create_todo", arguments, handle=handle, version=era)
            assert answer.status_code == 200
            assert "What is to be done" in answer.json()["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("number", "status"),
    [(b"9" * 4000, 200), (b"-" + b"9" * 5000, 400), (b"1" + b"0" * 100_000, 400), (b"1e400", 400)],
)
async def test_a_number_of_thousands_of_digits_is_bounded_before_it_costs_anything(
    world: "World", era: str, number: bytes, status: int
) -> None:
    async with world.running() as door:
        request = door.request(
            "tools/call",
            {"name": "list_todos", "arguments": {"limit": 4711}},
            handle=world.sign_in(),
            version=era,
        )
        content = request.read().replace(b"4711", number)
        headers = request.headers
        del headers["content-length"]
        response = await door.http.post("/mcp", content=content, headers=headers)

    assert response.status_code == status
    if status == 200:
        assert response.json()["result"]["isError"] is True
    else:
        assert response.json()["error"]["code"] == -32700
    assert world.todo_api.calls == []


async def test_a_request_id_may_be_large_and_comes_back_as_it_was(world: "World", era: str) -> None:
    async with world.running() as door:
        for identifier in (0, -1, 2**53 - 1, 10**400, "x" * 10_000, ""):
            request = door.request("tools/list", handle=world.sign_in(), version=era)
            message = json.loads(request.read()) | {"id": identifier}
            headers = request.headers
            del headers["content-length"]
            response = await door.http.post("/mcp", json=message, headers=headers)
            assert response.status_code == 200, identifier
            assert response.json()["id"] == identifier
