"""`POST /revoke`: the client is done with a token (RFC 7009)."""

from fastapi import APIRouter, Request, Response

from pingone_simulator.clients import authenticate_client
from pingone_simulator.errors import NO_STORE, UnsupportedTokenType
from pingone_simulator.parameters import read_form
from pingone_simulator.resources import PINGONE_API
from pingone_simulator.simulator import Simulator


def revoke_routes(simulator: Simulator) -> APIRouter:
    """The revocation endpoint."""
    router = APIRouter()

    @router.post("/revoke")
    async def revoke(request: Request) -> Response:
        form = await read_form(request)
        authenticate_client(request, form, simulator.client)
        value = form.required("token")
        _revoke_access_token(simulator, value)
        _revoke_refresh_token(simulator, value)
        # RFC 7009 section 2.2: a token that is not known is as good as revoked.
        return Response(status_code=200, headers=NO_STORE)

    return router


def _revoke_access_token(simulator: Simulator, value: str) -> None:
    token = simulator.grants.find_access_token(value)
    if token is None:
        return
    if token.access.audience == PINGONE_API:
        raise UnsupportedTokenType("Only access tokens for custom resources can be revoked")
    token.revoked = True


def _revoke_refresh_token(simulator: Simulator, value: str) -> None:
    token = simulator.grants.find_refresh_token(value)
    if token is not None:
        # RFC 7009 section 2.1: the access tokens of the same grant go with it.
        token.grant.revoked = True
