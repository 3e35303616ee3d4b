"""Whom the layer in front of the SDK admits, and what it tells the others: 401, 403, 503."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from mcp_server.handle_verifier import IntrospectionUnavailable

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

METADATA_URL = "http://localhost:8081/.well-known/oauth-protected-resource/mcp"


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


async def test_what_a_client_is_told_to_begin_with_is_the_operators_choice(
    world: "World", era: str
) -> None:
    world.variables["mcp_challenge_scopes"] = "todo_api:read todo_api:write"
    reader = world.sign_in(scope="todo_api:read")
    async with world.running() as door:
        missing = await door.post("tools/list", handle=None, version=era)
        read = await door.call("list_todos", {}, handle=reader, version=era)
    assert 'scope="todo_api:read todo_api:write"' in missing.headers["www-authenticate"]
    # It changes what is asked for, and not what a tool needs.
    assert read.status_code == 200


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
    assert 'scope="todo_api:read todo_api:write"' in challenge
    assert f'resource_metadata="{METADATA_URL}"' in challenge
    assert world.todo_api.calls == []


@pytest.mark.standard("MCP 2026-07-28 authorization: scope hierarchy")
async def test_write_does_not_imply_read(world: "World", era: str) -> None:
    handle = world.sign_in(scope="todo_api:write")
    async with world.running() as door:
        response = await door.call("list_todos", handle=handle, version=era)

    assert response.status_code == 403
    assert 'scope="todo_api:read"' in response.headers["www-authenticate"]


async def test_a_client_that_asks_for_exactly_what_was_named_can_go_on(
    world: "World", era: str
) -> None:
    reading = world.sign_in(scope="todo_api:read")
    async with world.running() as door:
        refused = await door.call("create_todo", {"text": "x"}, handle=reading, version=era)
        named = re.search(r' scope="([^"]+)"', refused.headers["www-authenticate"])
        assert named is not None
        stepped_up = world.sign_in("b", scope=named.group(1))
        for tool, arguments in (("create_todo", {"text": "x"}), ("list_todos", {})):
            answer = await door.call(tool, arguments, handle=stepped_up, version=era)
            assert answer.status_code == 200


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


@pytest.mark.standard("MCP 2026-07-28 tools: access control")
async def test_each_tool_checks_its_scope_again_behind_the_layer(
    world: "World", era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.bearer.layer.scopes_to_ask_for", lambda *_: frozenset())
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
