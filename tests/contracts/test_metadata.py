"""The documents that lead a client from the resource to its authorization server and back."""

import httpx
import pytest
from auth_harness import API, ISSUER, RESOURCE, AuthUnderTest

from auth_server.pages.consent import SCOPE_DESCRIPTIONS
from auth_server.settings import AuthSettings
from mcp_server.resource_metadata import create_resource_metadata, resource_metadata_url
from mcp_server.tool_scopes import MINIMAL_SCOPES, SUPPORTED_SCOPES, TOOL_SCOPES
from pingone_simulator.resources import API_SCOPES
from pingone_simulator.settings import SimulatorSettings
from todo_api.endpoints.bearer import READ, WRITE
from todo_api.settings import TodoApiSettings


@pytest.mark.standard(
    "RFC 8414 3.3", "RFC 9728 3.3", "MCP 2026-07-28 authorization: server metadata"
)
async def test_the_resource_names_its_authorization_server_exactly(auth: AuthUnderTest) -> None:
    app = create_resource_metadata(resource=RESOURCE, issuer=ISSUER, name="Todos")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        resource = (await client.get(resource_metadata_url(RESOURCE))).json()
    server = (await auth.anyone.get("/.well-known/oauth-authorization-server")).json()
    # As strings: clients compare them so (RFC 8414 3.3, RFC 9728 3.3).
    assert resource["authorization_servers"] == [server["issuer"]]
    assert resource["resource"] == auth.resources.settings.mcp_resource
    assert set(resource["scopes_supported"]) <= set(server["scopes_supported"])


@pytest.mark.standard("RFC 9700 2.6 metadata")
async def test_a_client_finds_every_endpoint_that_its_flow_needs(auth: AuthUnderTest) -> None:
    server = (await auth.anyone.get("/.well-known/oauth-authorization-server")).json()
    for endpoint in ("authorization", "token", "registration", "revocation"):
        url = server[f"{endpoint}_endpoint"]
        assert url.startswith(f"{ISSUER}/")
        assert (await auth.anyone.request("PATCH", url)).status_code == 405, url


def test_all_parts_mean_the_same_scopes() -> None:
    scopes = {READ, WRITE}
    assert set(SUPPORTED_SCOPES) == scopes
    assert set(API_SCOPES) == scopes
    assert set(AuthSettings.model_fields["mcp_scopes"].default.split()) == scopes
    assert scopes <= SCOPE_DESCRIPTIONS.keys()
    assert frozenset().union(*TOOL_SCOPES.values()) == scopes
    assert set(MINIMAL_SCOPES) < scopes


def test_all_parts_mean_the_same_api() -> None:
    assert SimulatorSettings.model_fields["api_identifier"].default == API
    assert TodoApiSettings.model_fields["api_audience"].default == API
