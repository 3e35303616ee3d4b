"""What other websites have a browser send to the endpoint: told apart before anything is read."""

from typing import TYPE_CHECKING

import pytest
from fetch_headers import navigation, said, script

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

PAGE = "http://localhost:6274"


@pytest.mark.standard("Fetch Metadata isolation")
@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
@pytest.mark.parametrize(
    "headers",
    [
        navigation("cross-site"),
        navigation("none"),
        said("cross-site", "navigate", "iframe"),
        said("cross-site", "no-cors", "empty"),
        said("same-origin", "no-cors", "image"),
        said("cross-site", "websocket", "empty"),
        said("cross-site", "cors", "script"),
        said("cross-site", "Cors", "empty"),
        said("cross-site", "cors;a", "empty"),
        said("somewhere", "cors", "empty"),
        {"Sec-Fetch-Site": "same-site"},
        {**script("same-site"), "Sec-Purpose": "prefetch"},
    ],
    ids=str,
)
async def test_a_form_a_link_or_an_embedded_resource_is_no_message(
    world: "World", path: str, headers: dict[str, str]
) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        response = await door.post("tools/list", handle=handle, path=path, headers=headers)
        assert response.status_code == 403
        assert response.json()["type"] == "urn:problem:not-a-cors-request"
        assert world.auth.asked == []
        assert (await door.http.get(path, headers=headers)).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin", "none"])
async def test_a_page_that_may_call_calls(world: "World", site: str) -> None:
    handle = world.sign_in()
    async with world.running() as door:
        headers = {"Origin": PAGE, **script(site)}
        response = await door.post("tools/list", handle=handle, headers=headers)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == PAGE
        may_it = {"Access-Control-Request-Method": "POST", **headers}
        assert (await door.http.options("/mcp", headers=may_it)).status_code == 200


async def test_a_client_on_node_calls_and_its_dead_handles_are_no_pages(world: "World") -> None:
    # Its fetch() names the mode, and nothing else.
    node = {"Sec-Fetch-Mode": "cors", "X-Forwarded-For": "198.51.100.7"}
    world.variables = {"mcp_trusted_proxies": "127.0.0.1", "mcp_limit_failures": "1/minute"}
    async with world.running() as door:
        response = await door.post("tools/list", handle=world.sign_in(), headers=node)
        assert response.status_code == 200
        dead = world.sign_in("d")
        del world.auth.answers[dead]
        for expected in (401, 429):
            response = await door.post("tools/list", handle=dead, headers=node)
            assert response.status_code == expected
        assert world.count("rate_limited_total", budget="cross_origin") == 0


async def test_a_page_on_an_origin_that_nobody_allowed_is_told_no_more_than_before(
    world: "World",
) -> None:
    headers = {"Origin": "https://evil.example", **script("cross-site")}
    async with world.running() as door:
        response = await door.post("tools/list", handle=world.sign_in(), headers=headers)
        assert response.status_code == 403
        assert "access-control-allow-origin" not in response.headers
        assert world.auth.asked == []


async def test_the_metadata_is_for_everybody_however_they_ask(world: "World") -> None:
    async with world.running() as door:
        for headers in (navigation(), said("cross-site", "no-cors", "image")):
            response = await door.http.get(
                "/.well-known/oauth-protected-resource/mcp", headers=headers
            )
            assert response.status_code == 200
