"""`POST /introspect`: what a token is worth at this moment (RFC 7662)."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from pingone_simulator.clients import authenticate_client
from pingone_simulator.errors import NO_STORE
from pingone_simulator.parameters import read_form
from pingone_simulator.simulator import Simulator


def introspect_routes(simulator: Simulator) -> APIRouter:
    """The introspection endpoint, for access tokens and refresh tokens."""
    router = APIRouter()

    @router.post("/introspect")
    async def introspect(request: Request) -> JSONResponse:
        form = await read_form(request)
        authenticate_client(request, form, simulator.client)
        value = form.required("token")
        answer = _describe_access_token(simulator, value) or _describe_refresh_token(
            simulator, value
        )
        return JSONResponse(answer or {"active": False}, headers=NO_STORE)

    return router


def _describe_access_token(simulator: Simulator, value: str) -> dict[str, Any] | None:
    token = simulator.grants.find_access_token(value)
    if token is None:
        return None
    return {
        "active": True,
        "token_type": "Bearer",
        "iss": simulator.issuer,
        "client_id": simulator.client.client_id,
        "sub": token.grant.person.sub,
        "username": token.grant.person.username,
        "aud": [token.access.audience],
        "scope": token.access.scope,
        "iat": int(token.issued_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
        "sid": token.grant.sid,
        "acr": token.grant.acr,
        "auth_time": int(token.grant.auth_time.timestamp()),
    }


def _describe_refresh_token(simulator: Simulator, value: str) -> dict[str, Any] | None:
    token = simulator.grants.find_refresh_token(value)
    if token is None or token.rotated_at is not None:
        return None
    return {
        "active": True,
        "iss": simulator.issuer,
        "client_id": simulator.client.client_id,
        "sub": token.grant.person.sub,
        "scope": token.grant.access.scope,
        "exp": int(token.expires_at.timestamp()),
        "sid": token.grant.sid,
    }
