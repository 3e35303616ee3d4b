"""A message is written out anew for the SDK: what that must not change, and what it must refuse."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World


@pytest.mark.parametrize("item", [b"1", b"1e9"])
async def test_a_body_within_the_bound_is_read_however_long_it_is_written_anew(
    world: "World", era: str, item: bytes
) -> None:
    world.variables = {"mcp_max_body_bytes": 16 * 1024}
    async with world.running() as door:
        params = {"more": ["HERE"]}
        request = door.request("tools/list", params, handle=world.sign_in(), version=era)
        head, tail = request.content.split(b'"HERE"')
        room = 16 * 1024 - len(head) - len(tail)
        items = b",".join([item] * ((room + 1) // (len(item) + 1)))
        content = head + items + tail
        request.headers["content-length"] = str(len(content))
        response = await door.http.post("/mcp", content=content, headers=request.headers)

    assert response.status_code == 200


async def test_an_id_that_cannot_be_written_is_400_where_a_refusal_would_quote_it(
    world: "World", era: str
) -> None:
    world.variables = {"mcp_limit_tool_calls": "1/minute"}
    params = {"name": "who_am_i", "arguments": {}}
    handle = world.sign_in()
    async with world.running() as door:
        await door.post("tools/call", params, handle=handle, version=era)
        for version in (era, "1999-01-01"):
            request = door.request("tools/call", params, handle=handle, version=era)
            content = request.content.replace(b'"id":1', b'"id":"\\ud800"')
            headers = {**request.headers, "mcp-protocol-version": version}
            headers["content-length"] = str(len(content))
            response = await door.http.post("/mcp", content=content, headers=headers)
            assert response.status_code == 400
            assert response.json()["error"]["code"] == -32700
