"""`GET /userinfo`: the person behind an access token (OpenID Connect Core section 5.3)."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from pingone_simulator.errors import NO_STORE, InsufficientScope, InvalidToken, MissingToken
from pingone_simulator.simulator import Simulator


def userinfo_routes(simulator: Simulator) -> APIRouter:
    """The userinfo endpoint, by GET and by POST."""
    router = APIRouter()

    @router.api_route("/userinfo", methods=["GET", "POST"])
    async def userinfo(request: Request) -> JSONResponse:
        token = simulator.grants.find_access_token(_read_bearer(request))
        if token is None:
            raise InvalidToken("The access token is expired, revoked or not known")
        if "openid" not in token.access.scopes:
            raise InsufficientScope("The access token lacks the scope openid")
        person = token.grant.person
        claims = {"sub": person.sub, **person.claims(token.access.scopes)}
        return JSONResponse(claims, headers=NO_STORE)

    return router


def _read_bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise MissingToken("An access token is required")
    return token
