"""`GET /.well-known/oauth-authorization-server`: the document promises what is there, no more."""

from typing import Any

import httpx
import pytest
from auth_harness import INTERNAL, ISSUER, AuthUnderTest

WELL_KNOWN = "/.well-known/oauth-authorization-server"

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def fetch_metadata(auth: AuthUnderTest) -> dict[str, Any]:
    response = await auth.anyone.get(WELL_KNOWN)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    metadata: dict[str, Any] = response.json()
    return metadata


@pytest.mark.standard(
    "RFC 8414 2",
    "RFC 8414 3",
    "RFC 8414 3.2",
    "RFC 9207 2.3",
    "RFC 9207 3",
    "RFC 9700 2.1.1 advertised",
    "RFC 9700 4.4",
    "MCP 2026-07-28 authorization: server metadata",
    "MCP 2026-07-28 authorization: PKCE",
    "MCP 2026-07-28 authorization: iss",
    "CIMD draft 6",
)
async def test_the_metadata_is_exactly_what_this_server_can_do(shared: AuthUnderTest) -> None:
    metadata = await fetch_metadata(shared)
    assert metadata == {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "registration_endpoint": f"{ISSUER}/register",
        "revocation_endpoint": f"{ISSUER}/revoke",
        "scopes_supported": ["todo_api:read", "todo_api:write"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": [
            "none",
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256"],
        "revocation_endpoint_auth_methods_supported": [
            "none",
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ],
        "revocation_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
    }


@pytest.mark.standard("RFC 7009 2", "RFC 8414 2")
async def test_every_endpoint_of_the_metadata_is_mounted(shared: AuthUnderTest) -> None:
    metadata = await fetch_metadata(shared)
    for member in [name for name in metadata if name.endswith("_endpoint")]:
        get = await shared.anyone.get(metadata[member])
        post = await shared.anyone.post(metadata[member])
        assert 404 not in {get.status_code, post.status_code}, member
        assert {get.status_code, post.status_code} != {405}, member


@pytest.mark.standard("RFC 8414 3.3", "RFC 8414 6.2", "RFC 9700 4.13")
async def test_the_issuer_is_the_configured_url_whatever_the_host_header_says(
    shared: AuthUnderTest,
) -> None:
    headers = {"host": "evil.example", "x-forwarded-host": "evil.example", "forwarded": "host=evil"}
    response = await shared.anyone.get(WELL_KNOWN, headers=headers)
    assert response.json()["issuer"] == ISSUER
    assert "evil" not in response.text


@pytest.mark.standard("RFC 8414 2 introspection_endpoint")
async def test_introspection_is_neither_announced_nor_reachable_in_public(
    shared: AuthUnderTest,
) -> None:
    assert not [name for name in await fetch_metadata(shared) if "introspection" in name]
    assert (await shared.anyone.post("/introspect", data={"token": "t"})).status_code == 404
    assert (await shared.anyone.get("/metrics")).status_code == 404
    assert (await shared.anyone.get(f"{INTERNAL}{WELL_KNOWN}")).status_code == 404


async def test_the_public_application_describes_itself_nowhere_else(shared: AuthUnderTest) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", f"{WELL_KNOWN}/mcp"):
        response = await shared.anyone.get(path, follow_redirects=True)
        assert response.status_code == 404, path


def preflight(method: str, headers: str) -> dict[str, str]:
    return {
        "origin": "https://inspector.example",
        "access-control-request-method": method,
        "access-control-request-headers": headers,
    }


@pytest.mark.standard("RFC 8414 3.2")
async def test_any_origin_may_read_the_metadata_without_credentials(shared: AuthUnderTest) -> None:
    headers = {"origin": "https://inspector.example", "cookie": "any=cookie"}
    response = await shared.anyone.get(WELL_KNOWN, headers=headers)
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.standard("RFC 7009 2.3", "RFC 7591 3 open")
@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        (WELL_KNOWN, "GET", "mcp-protocol-version"),
        ("/token", "POST", "authorization, content-type"),
        ("/register", "POST", "content-type"),
        ("/revoke", "POST", "authorization, content-type"),
    ],
)
async def test_a_browser_based_client_passes_the_preflight(
    shared: AuthUnderTest, path: str, method: str, headers: str
) -> None:
    response = await shared.anyone.options(path, headers=preflight(method, headers))
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert method in response.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.standard("RFC 9700 2.6 CORS")
@pytest.mark.parametrize("path", ["/authorize", "/consent", "/callback"])
async def test_no_other_origin_may_read_a_page(shared: AuthUnderTest, path: str) -> None:
    origin = {"origin": "https://inspector.example"}
    answers: list[httpx.Response] = [
        await shared.anyone.get(path, headers=origin),
        await shared.anyone.post(path, headers=origin),
        await shared.anyone.options(path, headers=preflight("GET", "content-type")),
    ]
    for response in answers:
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.standard("OAuth 2.1 3.2.4")
async def test_an_error_of_an_open_endpoint_can_be_read_by_its_caller(
    shared: AuthUnderTest,
) -> None:
    response = await shared.anyone.post("/token", headers={"origin": "https://inspector.example"})
    assert response.status_code == 400
    assert response.headers["access-control-allow-origin"] == "*"
    assert "www-authenticate" in response.headers["access-control-expose-headers"].lower()


async def test_a_path_with_a_slash_too_many_is_no_redirect_to_wherever_the_host_header_says(
    shared: AuthUnderTest,
) -> None:
    for path in (f"{WELL_KNOWN}/", "/authorize/", "/token/", "/register/"):
        response = await shared.anyone.post(path, headers={"host": "evil.example"})
        assert response.status_code == 404, path
        assert "location" not in response.headers, path
