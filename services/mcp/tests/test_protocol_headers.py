"""MCP-Protocol-Version, Mcp-Method and Mcp-Name beside the body that they are about."""

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

MODERN = "2026-07-28"
LEGACY = "2025-11-25"


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


@pytest.mark.standard("MCP 2026-07-28 streamable-http: header mismatch")
@pytest.mark.parametrize("version", [None, "", "2024-11-05", "2025-03-26", LEGACY, "1900-01-01"])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "delete_todo", "arguments": {"todo_id": "x"}}),
        ("tools/list", None),
        ("server/discover", None),
    ],
)
async def test_a_version_header_unlike_the_body_is_a_header_mismatch(
    world: "World", method: str, params: dict[str, Any] | None, version: str | None
) -> None:
    async with world.running() as door:
        request = door.request(
            method, params, handle=world.sign_in(), capabilities={"elicitation": {"form": {}}}
        )
        del request.headers["MCP-Protocol-Version"]
        if version is not None:
            request.headers["MCP-Protocol-Version"] = version
        response = await door.http.send(request)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020
    assert response.json()["id"] == 1
    assert world.todo_api.calls == []


@pytest.mark.standard("MCP 2026-07-28 streamable-http: header mismatch")
@pytest.mark.parametrize("named", [None, 1, "", [MODERN], "2026-07-28 "])
@pytest.mark.parametrize("version", [None, MODERN, LEGACY])
async def test_a_version_in_the_body_that_is_none_matches_no_header(
    world: "World", named: Any, version: str | None
) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": named}
    message = {"jsonrpc": "2.0", "id": "a", "method": "tools/list", "params": {"_meta": meta}}
    headers = {"Authorization": f"Bearer {world.sign_in()}", "Mcp-Method": "tools/list"}
    if version is not None:
        headers["MCP-Protocol-Version"] = version
    async with world.running() as door:
        response = await door.http.post("/mcp", json=message, headers=headers)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020
    assert response.json()["id"] == "a"


@pytest.mark.standard("MCP 2025-11-25 transports: no version header")
@pytest.mark.parametrize("version", [None, LEGACY])
@pytest.mark.parametrize("meta", [{}, {"progressToken": 1}, {"io.modelcontextprotocol/x": MODERN}])
async def test_a_body_that_names_no_version_is_served_by_the_header_or_without_one(
    world: "World", meta: dict[str, Any], version: str | None
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    headers = {"Authorization": f"Bearer {world.sign_in()}"}
    if version is not None:
        headers["MCP-Protocol-Version"] = version
    async with world.running() as door:
        response = await door.http.post("/mcp", json=message, headers=headers)

    assert response.status_code == 200
    assert response.json()["result"]["tools"]


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
    assert error["data"]["supported"] == [MODERN, LEGACY, "2025-06-18", "2025-03-26", "2024-11-05"]


def base64_form(text: str) -> str:
    """The form of a header value that is not plain ASCII."""
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


@pytest.mark.standard("MCP 2026-07-28 streamable-http: Mcp-Method and Mcp-Name")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Mcp-Name": base64_form("who_am_i")},
        {"Mcp-Method": base64_form("tools/call")},
        {"Mcp-Method": base64_form("tools/call"), "Mcp-Name": base64_form("who_am_i")},
        {"mCP-nAME": "who_am_i", "MCP-METHOD": "tools/call"},
    ],
)
async def test_method_and_name_are_taken_in_both_forms_and_under_any_case_of_their_names(
    world: "World", headers: dict[str, str]
) -> None:
    async with world.running() as door:
        response = await door.call("who_am_i", handle=world.sign_in(), headers=headers)

    assert response.status_code == 200
    assert response.json()["result"]["structuredContent"]["subject"] == "alice"


@pytest.mark.standard(
    "MCP 2026-07-28 streamable-http: Mcp-Method and Mcp-Name",
    "MCP 2026-07-28 streamable-http: header mismatch",
)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Mcp-Name", "Who_am_i"),
        ("Mcp-Name", "who_am_i_"),
        ("Mcp-Name", ""),
        ("Mcp-Name", base64_form("list_todos")),
        ("Mcp-Name", base64_form("who_am_i ")),
        ("Mcp-Name", base64_form("who_am_i").replace("base64", "BASE64")),
        ("Mcp-Name", "=?base64?d2hvX2FtX2k?="),  # without its padding
        ("Mcp-Name", "=?base64?d2hvX2FtX2l=?="),  # bits that say nothing
        ("Mcp-Name", "=?base64?d2hv X2FtX2k=?="),
        ("Mcp-Name", "=?base64?!?="),
        ("Mcp-Name", "=?base64??="),
        ("Mcp-Name", "=?base64?//79?="),  # not UTF-8
        ("Mcp-Method", "tools/list"),
        ("Mcp-Method", "Tools/call"),
        ("Mcp-Method", ""),
        ("Mcp-Method", base64_form("tools/list")),
        ("Mcp-Method", base64_form("tools/call\r\n")),
        ("Mcp-Method", base64_form("töols/call")),
        ("Mcp-Method", "=?base64?!?="),
    ],
)
async def test_a_method_or_name_that_is_not_the_bodys_is_a_header_mismatch(
    world: "World", name: str, value: str
) -> None:
    async with world.running() as door:
        response = await door.call("who_am_i", handle=world.sign_in(), headers={name: value})

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020


@pytest.mark.standard("MCP 2026-07-28 streamable-http: Mcp-Method and Mcp-Name")
@pytest.mark.parametrize("missing", ["Mcp-Method", "Mcp-Name"])
async def test_a_missing_method_or_name_is_a_header_mismatch(world: "World", missing: str) -> None:
    async with world.running() as door:
        request = door.request("tools/call", {"name": "who_am_i"}, handle=world.sign_in())
        del request.headers[missing]
        response = await door.http.send(request)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020


@pytest.mark.standard(
    "MCP 2026-07-28 streamable-http: Mcp-Method and Mcp-Name", "MCP 2026-07-28 tools: unknown tool"
)
async def test_a_tool_whose_name_is_not_ascii_is_unknown_and_not_a_mismatch(
    world: "World",
) -> None:
    async with world.running() as door:
        response = await door.call(
            "aufgabe_löschen",
            handle=world.sign_in(),
            headers={"Mcp-Name": base64_form("aufgabe_löschen")},
        )

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32602


@pytest.mark.standard("MCP 2026-07-28 streamable-http: Mcp-Method and Mcp-Name")
@pytest.mark.parametrize(
    ("method", "params", "named"),
    [
        ("resources/read", {"uri": "todo://einkäufe"}, base64_form("todo://einkäufe")),
        ("resources/read", {"uri": "todo://list"}, "todo://list"),
        ("prompts/get", {"name": "plan my day"}, "plan my day"),
        ("prompts/get", {"name": " plan "}, base64_form(" plan ")),
    ],
)
async def test_resources_and_prompts_are_named_too_and_there_are_none(
    world: "World", method: str, params: dict[str, str], named: str
) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        right = await door.post(method, params, handle=handle, headers={"Mcp-Name": named})
        wrong = await door.post(method, params, handle=handle, headers={"Mcp-Name": "other"})

    assert right.status_code == 400
    assert right.json()["error"]["code"] == -32602
    assert wrong.status_code == 400
    assert wrong.json()["error"]["code"] == -32020
