"""`POST /register`: dynamic client registration (RFC 7591)."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from auth_server.endpoints import openapi
from auth_server.endpoints.client_authentication import authorization_header
from auth_server.endpoints.parameters import json_object
from auth_server.endpoints.responses import NO_STORE
from auth_server.flows.register_client import RegisterClient, RegisteredClient


def register_routes(register_client: RegisterClient) -> APIRouter:
    """The registration endpoint."""
    router = APIRouter()

    @router.post("/register", status_code=201, summary="Register a client", **openapi.REGISTER)
    async def register(request: Request) -> Response:
        raw_token = _bearer_token(request)
        # First: of who may not register, nothing is read.
        register_client.check_presence(raw_token)
        registered = await register_client(await json_object(request), raw_token)
        return JSONResponse(_client_information(registered), status_code=201, headers=NO_STORE)

    return router


def _bearer_token(request: Request) -> str | None:
    """The token of the Authorization header (RFC 6750 2.1); None if it has none."""
    scheme, _, value = (authorization_header(request) or "").partition(" ")
    return value.strip(" ") or None if scheme.lower() == "bearer" else None


def _client_information(registered: RegisteredClient) -> dict[str, Any]:
    """What was registered, which may be less than what was asked for (RFC 7591 3.2.1)."""
    client, metadata = registered.client, registered.client.metadata
    information: dict[str, Any] = {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.issued_at.timestamp()),
        "redirect_uris": list(metadata.redirect_uris),
        "token_endpoint_auth_method": metadata.token_endpoint_auth_method,
        "grant_types": sorted(metadata.grant_types),
        "response_types": ["code"],
        "application_type": metadata.application_type,
    }
    optional = {
        "client_name": metadata.client_name or None,
        "client_uri": metadata.client_uri,
        "jwks": metadata.jwks,
        "jwks_uri": metadata.jwks_uri,
        "token_endpoint_auth_signing_alg": metadata.token_endpoint_auth_signing_alg,
        "scope": metadata.scope,
        "client_secret": registered.client_secret,
        # RFC 7591 3.2.1: required beside a secret; 0 says that it does not expire by itself.
        "client_secret_expires_at": None if registered.client_secret is None else 0,
    }
    return information | {name: value for name, value in optional.items() if value is not None}
