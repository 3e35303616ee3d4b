"""What the layer in front of the SDK admits and refuses, seen as raw HTTP in both protocol eras."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from mcp_server.handle_verifier import IntrospectionUnavailable

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

METADATA_URL = "http://localhost:8081/.well-known/oauth-protected-resource/mcp"
MODERN = "2026-07-28"
LEGACY = "2025-11-25"


@pytest.mark.standard(
    "RFC 6750 3 mcp",
    "RFC 6750 3.1 no error",
    "RFC 9728 5.1",
    "MCP 2026-07-28 authorization: scope in the 401",
    "MCP 2025-11-25 authorization",
)
async def test_a_request_without_a_handle_is_challenged_without_an_error_code(
    world: "World", era: str
) -> None:
    async with world.running() as door:
        response = await door.post("tools/list", handle=None, version=era)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == (
        f'Bearer scope="todo_api:read", resource_metadata="{METADATA_URL}"'
    )
    assert "error" not in response.json()


@pytest.mark.standard(
    "RFC 6749 7",
    "RFC 6750 3.1 invalid_token",
    "OAuth 2.1 5.3.1",
    "MCP 2026-07-28 authorization: status codes",
    "MCP 2025-11-25 authorization",
)
async def test_a_dead_handle_is_challenged_with_invalid_token(world: "World", era: str) -> None:
    handle = world.sign_in()
    world.auth.answers[handle] = {"active": False}
    async with world.running() as door:
        response = await door.post("tools/list", handle=handle, version=era)

    assert response.status_code == 401
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="invalid_token", ')
    assert 'scope="todo_api:read"' in challenge
    assert f'resource_metadata="{METADATA_URL}"' in challenge
    assert response.json()["error"] == "invalid_token"


@pytest.mark.standard(
    "RFC 6750 5.2 audience",
    "RFC 8707 2.2 audience",
    "RFC 9700 4.6",
    "RFC 9700 4.10.2",
    "OAuth 2.1 5.2",
    "MCP 2026-07-28 authorization: audience",
)
async def test_a_handle_of_another_resource_is_refused(world: "World", era: str) -> None:
    handle = world.sign_in(aud="http://localhost:9999/mcp")
    async with world.running() as door:
        response = await door.post("tools/list", handle=handle, version=era)

    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


@pytest.mark.standard("RFC 6750 3.1 invalid_token")
@pytest.mark.parametrize(
    "change",
    [
        lambda handle: handle[:-1],
        lambda handle: handle + "A",
        lambda handle: handle[:-1] + ("0" if handle[-1] != "0" else "1"),
        lambda handle: handle.replace("mcpat_", "mcprt_"),
        lambda handle: handle.replace("aaa", "aab", 1),
        lambda handle: "\t" + handle,
        lambda handle: handle + " x",
        lambda _handle: "",
        lambda _handle: "eyJhbGciOiJub25lIn0.e30.",
    ],
)
async def test_a_malformed_handle_is_refused_without_asking_auth(
    world: "World", change: Any
) -> None:
    async with world.running() as door:
        response = await door.http.post(
            "/mcp", json={}, headers={"Authorization": f"Bearer {change(world.sign_in())}".strip()}
        )

    assert response.status_code == 401
    assert world.auth.asked == []


@pytest.mark.standard("RFC 6750 2.1", "OAuth 2.1 5.1.1")
async def test_the_scheme_is_case_insensitive(world: "World", era: str) -> None:
    async with world.running() as door:
        response = await door.post(
            "tools/list",
            handle=None,
            version=era,
            headers={"Authorization": f"bEARER {world.sign_in()}"},
        )

    assert response.status_code == 200


@pytest.mark.standard("RFC 6750 2.3", "RFC 9700 4.3.2", "MCP 2026-07-28 authorization: query")
@pytest.mark.parametrize("place", ["access_token", "token", "authorization"])
async def test_a_handle_in_the_query_is_never_accepted(world: "World", place: str) -> None:
    async with world.running() as door:
        response = await door.post(
            "tools/list", handle=None, path=f"/mcp?{place}={world.sign_in()}"
        )

    assert response.status_code == 401
    assert world.auth.asked == []


@pytest.mark.standard("RFC 6750 3.1 no error")
async def test_other_schemes_count_as_no_handle(world: "World") -> None:
    async with world.running() as door:
        response = await door.post(
            "tools/list", handle=None, headers={"Authorization": "Basic YTpi"}
        )

    assert response.status_code == 401
    assert "error" not in response.headers["www-authenticate"]


async def test_an_outage_of_auth_is_503_with_retry_after_and_no_challenge(
    world: "World", era: str
) -> None:
    handle = world.sign_in()
    world.auth.answers[handle] = IntrospectionUnavailable("connection refused")
    async with world.running() as door:
        response = await door.post("tools/list", handle=handle, version=era)

    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert "www-authenticate" not in response.headers
    assert response.json()["error"] == "temporarily_unavailable"


@pytest.mark.standard(
    "RFC 6749 7",
    "RFC 6750 3.1 insufficient_scope",
    "OAuth 2.1 5.3.1",
    "MCP 2026-07-28 authorization: status codes",
    "MCP 2026-07-28 authorization: step-up",
    "MCP 2025-11-25 authorization",
)
@pytest.mark.parametrize("tool", ["create_todo", "set_todo_status", "delete_todo"])
async def test_a_tool_whose_scope_is_lacking_is_403_naming_all_it_needs(
    world: "World", era: str, tool: str
) -> None:
    handle = world.sign_in(scope="todo_api:read")
    async with world.running() as door:
        response = await door.call(tool, {"text": "x"}, handle=handle, version=era)

    assert response.status_code == 403
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="insufficient_scope", ')
    assert 'scope="todo_api:write"' in challenge
    assert f'resource_metadata="{METADATA_URL}"' in challenge
    assert world.todo_api.calls == []


@pytest.mark.standard("MCP 2026-07-28 authorization: scope hierarchy")
async def test_write_does_not_imply_read(world: "World", era: str) -> None:
    handle = world.sign_in(scope="todo_api:write")
    async with world.running() as door:
        response = await door.call("list_todos", handle=handle, version=era)

    assert response.status_code == 403
    assert 'scope="todo_api:read"' in response.headers["www-authenticate"]


async def test_who_am_i_and_the_lists_need_no_scope(world: "World", era: str) -> None:
    handle = world.sign_in(scope="")
    async with world.running() as door:
        listed = await door.post("tools/list", handle=handle, version=era)
        called = await door.call("who_am_i", handle=handle, version=era)

    assert listed.status_code == called.status_code == 200
    assert called.json()["result"]["structuredContent"]["scopes"] == []


async def test_a_forged_mcp_name_header_does_not_change_the_scope_check(
    world: "World", era: str
) -> None:
    handle = world.sign_in(scope="todo_api:read")
    async with world.running() as door:
        response = await door.call(
            "delete_todo",
            {"todo_id": "x"},
            handle=handle,
            version=era,
            headers={"Mcp-Name": "list_todos", "Mcp-Method": "tools/list"},
        )

    assert response.status_code == 403
    assert world.todo_api.calls == []


@pytest.mark.standard("MCP 2026-07-28 streamable-http: header mismatch")
async def test_headers_that_contradict_the_body_are_refused_in_the_modern_era(
    world: "World",
) -> None:
    async with world.running() as door:
        response = await door.call(
            "delete_todo",
            {"todo_id": "x"},
            handle=world.sign_in(),
            headers={"Mcp-Name": "list_todos"},
        )

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020
    assert world.todo_api.calls == []


@pytest.mark.standard("MCP 2026-07-28 tools: access control")
async def test_each_tool_checks_its_scope_again_behind_the_layer(
    world: "World", era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.bearer.layer.scopes_lacking", lambda *_: frozenset())
    handle = world.sign_in(scope="")
    calls: dict[str, dict[str, Any]] = {
        "list_todos": {},
        "create_todo": {"text": "x"},
        "set_todo_status": {"todo_id": "x", "completed": True},
        "delete_todo": {"todo_id": "x"},
    }
    async with world.running() as door:
        for tool, arguments in calls.items():
            response = await door.call(tool, arguments, handle=handle, version=era)
            assert response.json()["result"]["isError"] is True

    assert world.todo_api.calls == []


@pytest.mark.standard(
    "MCP 2026-07-28 streamable-http: POST only",
    "MCP 2025-11-25 transports: GET",
    "MCP 2025-11-25 transports: DELETE",
)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("signed_in", [True, False])
async def test_other_methods_are_405_and_say_what_is_allowed(
    world: "World", era: str, method: str, signed_in: bool
) -> None:
    headers = {"MCP-Protocol-Version": era, "Accept": "text/event-stream"}
    if signed_in:
        headers["Authorization"] = f"Bearer {world.sign_in()}"
    async with world.running() as door:
        response = await door.http.request(method, "/mcp", headers=headers)

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


async def test_the_path_with_a_trailing_slash_is_served_without_a_redirect(
    world: "World", era: str
) -> None:
    async with world.running() as door:
        response = await door.post("tools/list", handle=world.sign_in(), version=era, path="/mcp/")

    assert response.status_code == 200
    assert response.json()["result"]["tools"]


@pytest.mark.standard("RFC 6750 3.1 invalid_request", "MCP 2026-07-28 authorization: status codes")
@pytest.mark.parametrize(
    "name", ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Authorization", "Content-Type"]
)
async def test_a_repeated_protocol_header_is_400(world: "World", era: str, name: str) -> None:
    sent = {
        "Authorization": f"Bearer {world.sign_in()}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": era,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "list_todos",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_todos"}}
    async with world.running() as door:
        response = await door.http.post(
            "/mcp", content=json.dumps(body), headers=[*sent.items(), (name, sent[name])]
        )

    assert response.status_code == 400
    assert world.todo_api.calls == []


@pytest.mark.standard("MCP 2026-07-28 streamable-http: Origin", "MCP 2025-11-25 transports: Origin")
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil:8081"])
async def test_a_foreign_origin_is_403(world: "World", era: str, origin: str) -> None:
    async with world.running() as door:
        response = await door.post(
            "tools/list", handle=world.sign_in(), version=era, headers={"Origin": origin}
        )

    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:8081", "localhost:8081x", "localhost:8081:1"]
)
async def test_a_foreign_host_is_421(world: "World", era: str, host: str) -> None:
    async with world.running() as door:
        response = await door.post(
            "tools/list", handle=world.sign_in(), version=era, headers={"Host": host}
        )

    assert response.status_code == 421


@pytest.mark.standard("MCP 2026-07-28 streamable-http: Origin")
async def test_in_production_only_the_own_host_and_the_named_origins_are_served(
    world: "World", era: str
) -> None:
    world.variables |= {
        "mcp_resource": "https://mcp.example.com/mcp",
        "introspection_client_secret": "k3Jx8vQpZr5TnWbY7cLm",
        "mcp_allowed_origins": "https://app.example.com, https://other.example.com",
    }
    handle = world.sign_in(aud="https://mcp.example.com/mcp")
    expected = [
        ("mcp.example.com", None, 200),
        ("mcp.example.com:443", None, 200),
        ("mcp.example.com", "https://other.example.com", 200),
        ("mcp.example.com", "https://mcp.example.com", 200),
        ("mcp.example.com", "http://localhost:6274", 403),
        ("mcp.example.com", "https://app.example.com.evil.com", 403),
        ("mcp.example.com:8081", None, 421),
        ("localhost:8081", None, 421),
    ]
    async with world.running() as door:
        for host, origin, status in expected:
            headers = {"Host": host} | ({"Origin": origin} if origin else {})
            response = await door.post("tools/list", handle=handle, version=era, headers=headers)
            assert (host, origin, response.status_code) == (host, origin, status)


async def test_a_preflight_needs_no_handle_and_lets_pages_read_the_challenge(
    world: "World",
) -> None:
    origin = "http://localhost:6274"
    wanted = "authorization,content-type,mcp-protocol-version,mcp-method,mcp-name"
    async with world.running() as door:
        preflight = await door.http.options(
            "/mcp",
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": wanted,
            },
        )
        refused = await door.post("tools/list", handle=None, headers={"Origin": origin})

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in preflight.headers
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == origin
    assert "WWW-Authenticate" in refused.headers["access-control-expose-headers"]


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


@pytest.mark.standard(
    "MCP 2026-07-28 versioning: unsupported version", "MCP 2025-11-25 transports: version header"
)
async def test_an_unsupported_version_is_told_the_versions_of_both_eras(world: "World") -> None:
    async with world.running() as door:
        response = await door.post("tools/list", handle=world.sign_in(), version="1900-01-01")

    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == -32022
    assert error["data"]["requested"] == "1900-01-01"
    assert {MODERN, LEGACY, "2025-06-18"} <= set(error["data"]["supported"])


@pytest.mark.standard("MCP 2026-07-28 streamable-http: header mismatch")
async def test_a_version_header_unlike_the_body_is_a_header_mismatch(world: "World") -> None:
    async with world.running() as door:
        response = await door.post(
            "tools/list",
            handle=world.sign_in(),
            headers={"MCP-Protocol-Version": "1900-01-01"},
        )

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020


@pytest.mark.standard("MCP 2026-07-28 streamable-http: notification")
async def test_a_notification_is_accepted_without_a_body(world: "World", era: str) -> None:
    async with world.running() as door:
        response = await door.http.post(
            "/mcp",
            json={"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {}},
            headers={
                "Authorization": f"Bearer {world.sign_in()}",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": era,
            },
        )

    assert response.status_code == 202
    assert response.content == b""


@pytest.mark.standard(
    "MCP 2026-07-28 streamable-http: no session", "MCP 2025-11-25 transports: session"
)
async def test_no_session_id_is_minted_and_a_made_up_one_is_ignored(
    world: "World", era: str
) -> None:
    async with world.running() as door:
        response = await door.post(
            "tools/list",
            handle=world.sign_in(),
            version=era,
            headers={"Mcp-Session-Id": "made-up", "Last-Event-ID": "7"},
        )

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert "mcp-session-id" not in response.headers


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


async def test_other_paths_are_404(world: "World") -> None:
    async with world.running() as door:
        for path in ("/", "/mcp/x", "/docs", "/openapi.json", "/metrics", "/livez"):
            assert (await door.http.get(path)).status_code == 404


async def test_requests_are_counted_by_route(world: "World") -> None:
    async with world.running() as door:
        await door.post("tools/list", handle=world.sign_in())
        await door.post("tools/list", handle=None)

    for status in ("200", "401"):
        labels = {"method": "POST", "route": "/mcp", "status": status}
        assert world.count("http_requests_total", **labels) == 1


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/jsonp"])
async def test_another_content_type_is_a_json_rpc_error(
    world: "World", era: str, content_type: str
) -> None:
    async with world.running() as door:
        response = await door.post(
            "tools/list",
            handle=world.sign_in(),
            version=era,
            headers={"Content-Type": content_type},
        )

    assert response.status_code == 415
    assert response.json()["error"]["code"] == -32600
