"""`POST /revoke`: token revocation (RFC 7009)."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth_server.endpoints import openapi
from auth_server.endpoints.parameters import form_parameters
from auth_server.endpoints.rate_limits import LimitedAuthentication
from auth_server.endpoints.responses import NO_STORE
from auth_server.flows.revoke_handle import RevokeHandle


def revoke_routes(authenticate: LimitedAuthentication, revoke_handle: RevokeHandle) -> APIRouter:
    """The revocation endpoint; it needs no token_type_hint, a handle's prefix says what it is."""
    router = APIRouter()

    @router.post(
        "/revoke",
        summary="Revoke a handle, and with it the whole grant",
        response_class=Response,
        **openapi.REVOKE,
    )
    async def revoke(request: Request) -> Response:
        form = await form_parameters(request)
        client = await authenticate(request, form)
        await revoke_handle(client, form.required("token"))
        # RFC 7009 2.2: 200 whether or not there was anything to revoke.
        return Response(status_code=200, headers=NO_STORE)

    return router
