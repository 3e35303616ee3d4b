"""mcp-remote, Copilot's command line, and clients that leave out what others send."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from e2e.clients.known_clients import (
    COPILOT,
    COPILOT_REGISTERED,
    MCP_REMOTE,
    MCP_REMOTE_WITHOUT_RESOURCE,
    ONCE_IN_A_WHILE,
    SPARSE,
)
from e2e.clients.profile import NOWHERE, ClientProfile
from e2e.clients.scripted_client import (
    WELL_KNOWN_SERVER,
    ScriptedClient,
    accepted_tokens,
    refusal_of,
)

from local_stack.services import StackConfig


async def test_prompt_consent_asks_the_person_again_and_without_it_nobody_is_asked(
    install: Any,
) -> None:
    client: ScriptedClient = await install(MCP_REMOTE)
    await client.connect()
    await client.sign_in()
    client.profile = replace(MCP_REMOTE, parameters={})
    await client.sign_in()
    # What was asked with prompt=consent was remembered, but is not what answers such a request.
    assert [visit.kinds[:1] for visit in client.visits] == [["consent"], ["consent"], []]


@pytest.mark.parametrize("scope", ["todo_api:read offline_access", "offline_access"])
async def test_offline_access_is_no_unknown_scope(install: Any, scope: str) -> None:
    client: ScriptedClient = await install(replace(MCP_REMOTE, scope=scope))
    await client.connect()
    await client.refresh()


@pytest.mark.parametrize("profile", [SPARSE, MCP_REMOTE_WITHOUT_RESOURCE], ids=str)
async def test_a_client_that_never_names_the_resource_gets_handles_for_the_only_one(
    install: Any, profile: ClientProfile
) -> None:
    assert profile.resource_at == NOWHERE
    client: ScriptedClient = await install(profile)
    await client.connect()
    await client.refresh()
    async with client.tools("auto") as mcp:
        me = await mcp.call_tool("who_am_i", {})
    assert me.structured_content is not None
    assert me.structured_content["client_id"] == client.client_id


async def test_a_refresh_with_and_without_the_resource_keeps_it(install: Any, mcp_url: str) -> None:
    client: ScriptedClient = await install(ONCE_IN_A_WHILE)
    await client.connect()
    client.tokens = accepted_tokens(await client.refresh_request())
    client.tokens = accepted_tokens(await client.refresh_request(resource=mcp_url))
    client.tokens = accepted_tokens(await client.refresh_request())
    async with client.tools("legacy") as mcp:
        assert not (await mcp.call_tool("list_todos", {})).is_error


async def test_a_refresh_for_another_resource_is_invalid_target_and_costs_nothing(
    install: Any,
) -> None:
    client: ScriptedClient = await install(ONCE_IN_A_WHILE)
    await client.connect()
    elsewhere = await client.refresh_request(resource="https://another.example.com/mcp")
    assert refusal_of(elsewhere) == (400, "invalid_target")
    accepted_tokens(await client.refresh_request())


@pytest.mark.parametrize("profile", [COPILOT, COPILOT_REGISTERED], ids=str)
async def test_a_client_that_compares_issuers_as_strings_finds_the_same_one_everywhere(
    install: Any, clients_stack: StackConfig, http: httpx.AsyncClient, profile: ClientProfile
) -> None:
    client: ScriptedClient = await install(profile)
    await client.connect()
    issuer = client.metadata["issuer"]
    assert issuer == clients_stack.issuer
    assert not issuer.endswith("/")
    # It is the URL of the document that counts, so nothing may redirect there.
    direct = await http.get(f"{issuer}{WELL_KNOWN_SERVER}", follow_redirects=False)
    assert direct.status_code == 200
    assert client.visits[0].answer["iss"] == issuer


async def test_a_port_that_was_taken_meanwhile_is_no_reason_to_register_again(install: Any) -> None:
    client: ScriptedClient = await install(COPILOT_REGISTERED)
    await client.connect()
    client.profile = replace(COPILOT_REGISTERED, redirect_uri="http://127.0.0.1:50999/")
    await client.sign_in()


async def test_no_answer_of_the_token_endpoint_is_a_page(
    install: Any, http: httpx.AsyncClient
) -> None:
    client: ScriptedClient = await install(SPARSE)
    await client.discover()
    token_endpoint = client.metadata["token_endpoint"]
    for form in ({}, {"client_id": "nobody"}, {"grant_type": "password", "client_id": "nobody"}):
        response = await http.post(token_endpoint, data=form)
        assert response.status_code in {400, 401}
        assert response.headers["content-type"] == "application/json"
        assert "error" in response.json()
