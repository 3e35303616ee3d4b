"""The MCP endpoint as an HTTP resource: methods, paths, media types, no sessions."""

from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World


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


@pytest.mark.parametrize(
    "accept",
    [
        [],
        [""],
        ["application/json"],
        ["Application/JSON;q=0.1, text/event-stream"],
        ["text/event-stream", "application/json"],
        ["application/*"],
        ["text/html, */*;q=0.8"],
        ["*/*;q=0, application/json"],
    ],
)
async def test_a_client_that_does_not_say_what_it_accepts_or_accepts_json_gets_json(
    world: "World", era: str, accept: list[str]
) -> None:
    response = await ask_with_accept(world, era, accept)

    assert response.status_code == 200
    assert response.json()["result"]["tools"]


@pytest.mark.parametrize(
    "accept",
    [
        ["text/event-stream"],
        ["text/html", "image/*"],
        ["application/json;q=0"],
        ["application/json; charset=utf-8; Q=0.000, */*"],
        ["application/jsonp"],
    ],
)
async def test_a_client_that_does_not_accept_json_is_told_so_in_json_rpc(
    world: "World", era: str, accept: list[str]
) -> None:
    response = await ask_with_accept(world, era, accept)

    assert response.status_code == 406
    assert response.json()["jsonrpc"] == "2.0"
    assert response.json()["error"]["code"] == -32600


async def ask_with_accept(world: "World", era: str, accept: list[str]) -> httpx.Response:
    async with world.running() as door:
        request = door.request("tools/list", handle=world.sign_in(), version=era)
        kept = [(name, text) for name, text in request.headers.items() if name != "accept"]
        request.headers = httpx.Headers([*kept, *(("accept", text) for text in accept)])
        return await door.http.send(request)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "", "application/jsonp", "application/json\xa0", "\x85application/json"],
)
async def test_another_content_type_is_a_json_rpc_error(
    world: "World", era: str, content_type: str
) -> None:
    async with world.running() as door:
        request = door.request("tools/list", handle=world.sign_in(), version=era)
        kept = [one for one in request.headers.raw if one[0].lower() != b"content-type"]
        sent = (b"Content-Type", content_type.encode("latin-1"))
        request.headers = httpx.Headers([*kept, sent])
        response = await door.http.send(request)

    assert response.status_code == 415
    assert response.json()["error"]["code"] == -32600
