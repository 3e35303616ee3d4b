"""MCP Inspector in a browser: a page of another origin does the discovery and gets the tokens."""

from typing import Any

import httpx
import pytest
from e2e.clients.known_clients import INSPECTOR_WEB
from e2e.clients.scripted_client import WELL_KNOWN_RESOURCE, WELL_KNOWN_SERVER, ScriptedClient
from fetch_headers import said, script

from local_stack.services import StackConfig

PAGE = "http://localhost:6274"
READABLE = {
    "resource metadata at the path": ("GET", f"mcp {WELL_KNOWN_RESOURCE}/mcp"),
    "resource metadata at the root": ("GET", f"mcp {WELL_KNOWN_RESOURCE}"),
    "server metadata": ("GET", f"auth {WELL_KNOWN_SERVER}"),
    "registration": ("POST", "auth /register"),
    "tokens": ("POST", "auth /token"),
    "revocation": ("POST", "auth /revoke"),
    "the MCP server": ("POST", "mcp /mcp"),
}


def url_of(config: StackConfig, where: str) -> str:
    service, _, path = where.partition(" ")
    origin = config.issuer if service == "auth" else config.mcp_url.removesuffix("/mcp")
    return f"{origin}{path}"


@pytest.mark.parametrize("what", READABLE)
async def test_a_browser_is_told_that_the_page_may_ask(
    clients_stack: StackConfig, http: httpx.AsyncClient, what: str
) -> None:
    method, where = READABLE[what]
    # Needed there or not: a page may send any of them along.
    headers = ["authorization", "content-type", "mcp-protocol-version"]
    preflight = await http.options(
        url_of(clients_stack, where),
        headers={
            "Origin": PAGE,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": ",".join(headers),
        },
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] in {"*", PAGE}
    assert "access-control-allow-credentials" not in preflight.headers
    assert method in preflight.headers["access-control-allow-methods"]
    allowed = preflight.headers["access-control-allow-headers"].lower().replace(" ", "").split(",")
    assert set(headers) <= set(allowed)


@pytest.mark.parametrize("what", READABLE)
async def test_the_page_may_read_the_answer_also_if_it_is_a_refusal(
    clients_stack: StackConfig, http: httpx.AsyncClient, what: str
) -> None:
    method, where = READABLE[what]
    answer = await http.request(method, url_of(clients_stack, where), headers={"Origin": PAGE})
    assert answer.status_code in ({200} if method == "GET" else {400, 401})
    assert answer.headers["access-control-allow-origin"] in {"*", PAGE}


async def test_the_page_may_read_the_challenge_of_the_mcp_server(
    mcp_url: str, http: httpx.AsyncClient
) -> None:
    refused = await http.post(mcp_url, json={}, headers={"Origin": PAGE})
    assert refused.status_code == 401
    exposed = refused.headers["access-control-expose-headers"].lower()
    assert "www-authenticate" in exposed


@pytest.mark.parametrize("path", ["/authorize", "/consent", "/callback", "/account"])
async def test_no_page_of_ours_can_be_read_by_another(
    clients_stack: StackConfig, http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(f"{clients_stack.issuer}{path}", headers={"Origin": PAGE})
    assert "access-control-allow-origin" not in answer.headers


async def test_one_registration_serves_the_guided_and_the_quick_way_in(install: Any) -> None:
    assert INSPECTOR_WEB.registration is not None
    client: ScriptedClient = await install(INSPECTOR_WEB)
    await client.connect()
    guided, quick = sorted(INSPECTOR_WEB.registration["redirect_uris"], reverse=True)
    assert guided == f"{quick}/debug"
    assert client.visits[0].arrived_at.startswith(f"{guided}?")


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
async def test_the_page_itself_registers_gets_its_tokens_and_calls_the_tools(
    install: Any, http: httpx.AsyncClient, site: str
) -> None:
    # Its direct mode: no process of the Inspector's stands in between.
    http.headers.update({"Origin": PAGE, **script(site)})
    client: ScriptedClient = await install(INSPECTOR_WEB)
    await client.connect()
    for _ in range(2):
        answer = await client.post_tool_call("list_todos")
        assert answer.status_code == 200
        assert "todos" in answer.json()["result"]["structuredContent"]
        assert answer.headers["access-control-allow-origin"] in {"*", PAGE}
        await client.refresh()


async def test_a_form_or_an_image_on_the_page_reaches_no_endpoint(
    clients_stack: StackConfig, http: httpx.AsyncClient
) -> None:
    for where in ("auth /register", "auth /token", "auth /revoke", "mcp /mcp", "mcp /mcp/"):
        for mode, dest in (("navigate", "document"), ("no-cors", "image"), ("no-cors", "empty")):
            answer = await http.post(
                url_of(clients_stack, where),
                headers={"Origin": PAGE, **said("same-site", mode, dest)},
            )
            assert (where, answer.status_code) == (where, 403)
            assert answer.json()["type"] == "urn:problem:not-a-cors-request"
