"""`GET /jwks`: the public half of the signing key (RFC 7517)."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from pingone_simulator.tokens import TokenMint


def jwks_routes(tokens: TokenMint) -> APIRouter:
    """The key set."""
    router = APIRouter()

    @router.get("/jwks")
    async def jwks() -> JSONResponse:
        return JSONResponse(tokens.public_jwks())

    return router
