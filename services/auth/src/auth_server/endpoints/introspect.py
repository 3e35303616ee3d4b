"""`POST /introspect` on the internal port (RFC 7662): resource servers only."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from auth_server.domain.resources import ProtectedResource
from auth_server.domain.scopes import format_scope
from auth_server.endpoints import openapi
from auth_server.endpoints.parameters import form_parameters
from auth_server.endpoints.rate_limits import LimitedResourceServers
from auth_server.endpoints.responses import NO_STORE
from auth_server.flows.introspect_handle import ActiveHandle, IntrospectHandle


def introspect_routes(
    authenticate: LimitedResourceServers, introspect_handle: IntrospectHandle, issuer: str
) -> APIRouter:
    """The introspection endpoint, with exactly one negative answer."""
    router = APIRouter()

    @router.post("/introspect", summary="What a handle stands for", **openapi.INTROSPECT)
    async def introspect(request: Request) -> Response:
        resource = await authenticate(request)
        form = await form_parameters(request)
        active = await introspect_handle(form.required("token"), resource)
        body = {"active": False} if active is None else _active(active, issuer, resource)
        return JSONResponse(body, headers=NO_STORE)

    return router


def _active(active: ActiveHandle, issuer: str, resource: ProtectedResource) -> dict[str, Any]:
    handle, grant, tokens = active.handle, active.grant, active.tokens
    return {
        "active": True,
        "scope": format_scope(handle.scopes),
        "client_id": grant.client_id,
        "username": grant.subject.username,
        "token_type": "Bearer",
        "exp": int(handle.expires_at.timestamp()),
        "iat": int(handle.issued_at.timestamp()),
        "sub": grant.subject.subject,
        "aud": resource.identifier,
        "iss": issuer,
        "grant_id": grant.id,
        "downstream_token": {
            "access_token": tokens.access_token,
            "token_type": "Bearer",
            "expires_at": int(tokens.expires_at.timestamp()),
            "audience": resource.upstream_audience,
            "scope": tokens.scope,
        },
    }
