"""`GET /.well-known/oauth-authorization-server` (RFC 8414)."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from auth_server.domain.client_keys import SIGNING_ALGORITHMS
from auth_server.domain.clients import GrantType, TokenEndpointAuthMethod
from auth_server.domain.pkce import S256
from auth_server.domain.scopes import Scopes

# Member of the metadata -> path it describes. It is listed only if the path is mounted.
_ENDPOINTS = {
    "authorization_endpoint": "/authorize",
    "token_endpoint": "/token",
    "registration_endpoint": "/register",
    "revocation_endpoint": "/revoke",
}


def authorization_server_metadata(
    issuer: str, scopes: Scopes, routes: Sequence[BaseRoute], *, has_client_documents: bool
) -> dict[str, Any]:
    """Describe what is mounted, so that the document cannot promise what is not there."""
    mounted = {getattr(route, "path", None) for route in routes}
    endpoints = {
        member: f"{issuer}{path}" for member, path in _ENDPOINTS.items() if path in mounted
    }
    auth_methods = list(TokenEndpointAuthMethod)
    return {
        "issuer": issuer,
        **endpoints,
        # offline_access is accepted but not advertised: a client that sees it asks for it, and then
        # for prompt=consent on every connection (OpenID Connect Core 11), although a refresh handle
        # needs neither here.
        "scopes_supported": sorted(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GrantType),
        "token_endpoint_auth_methods_supported": auth_methods,
        "token_endpoint_auth_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": auth_methods,
        "revocation_endpoint_auth_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
        "code_challenge_methods_supported": [S256],
        "authorization_response_iss_parameter_supported": True,
        **({"client_id_metadata_document_supported": True} if has_client_documents else {}),
    }


def metadata_routes(document: dict[str, Any]) -> APIRouter:
    """Serve the document; it changes only with a deployment."""
    router = APIRouter()

    @router.get("/.well-known/oauth-authorization-server", summary="RFC 8414 metadata")
    async def oauth_authorization_server() -> Response:
        return JSONResponse(document, headers={"Cache-Control": "public, max-age=300"})

    return router
