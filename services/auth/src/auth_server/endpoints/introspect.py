"""`POST /introspect` on the internal port (RFC 7662): resource servers only."""

import hmac
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from auth_server.domain.errors import InvalidClient, InvalidRequest
from auth_server.domain.handles import digest
from auth_server.domain.resources import ProtectedResource, ProtectedResources
from auth_server.domain.scopes import format_scope
from auth_server.endpoints.client_authentication import basic_credentials
from auth_server.endpoints.parameters import form_parameters
from auth_server.endpoints.responses import NO_STORE
from auth_server.flows.introspect_handle import ActiveHandle, IntrospectHandle

# Stands in for the secret of an unknown resource server, so that both cases take the same time.
_NO_SECRET = digest("")


def introspect_routes(
    resources: ProtectedResources, introspect_handle: IntrospectHandle, issuer: str
) -> APIRouter:
    """The introspection endpoint, with exactly one negative answer."""
    router = APIRouter()

    @router.post("/introspect", summary="What a handle stands for")
    async def introspect(request: Request) -> Response:
        resource = _authenticated_resource(request, resources)
        form = await form_parameters(request)
        active = await introspect_handle(form.required("token"), resource)
        body = {"active": False} if active is None else _active(active, issuer, resource)
        return JSONResponse(body, headers=NO_STORE)

    return router


def _authenticated_resource(request: Request, resources: ProtectedResources) -> ProtectedResource:
    headers = request.headers.getlist("authorization")
    if len(headers) > 1:
        raise InvalidRequest("the Authorization header is repeated")
    presented = basic_credentials(headers[0]) if headers else None
    if presented is None or presented.client_secret is None:
        raise InvalidClient("introspection is for resource servers with a credential")
    resource = resources.by_introspection_client(presented.client_id)
    expected = _NO_SECRET if resource is None else resource.introspection_client_secret_digest
    is_proven = hmac.compare_digest(digest(presented.client_secret), expected)
    if resource is None or not is_proven:
        raise InvalidClient("the resource server's credential is wrong")
    return resource


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
