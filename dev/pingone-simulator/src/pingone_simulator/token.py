"""`POST /token`: codes and refresh tokens become tokens (RFC 6749 sections 4.1.3 and 6)."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from pingone_simulator.clients import authenticate_client
from pingone_simulator.errors import NO_STORE, UnsupportedGrantType
from pingone_simulator.grants import Grant
from pingone_simulator.parameters import Parameters, read_form
from pingone_simulator.resources import Access, narrowed
from pingone_simulator.simulator import Simulator


def token_routes(simulator: Simulator) -> APIRouter:
    """The token endpoint."""
    router = APIRouter()
    grant_types = {
        "authorization_code": _exchange_code,
        "refresh_token": _refresh,
    }

    @router.post("/token")
    async def token(request: Request) -> JSONResponse:
        form = await read_form(request)
        authenticate_client(request, form, simulator.client)
        grant_type = form.required("grant_type")
        if grant_type not in grant_types:
            raise UnsupportedGrantType("grant_type is not enabled for this client")
        simulator.token_requests[grant_type] += 1
        answer = grant_types[grant_type](simulator, form)
        return JSONResponse(answer, headers=NO_STORE)

    return router


def _exchange_code(simulator: Simulator, form: Parameters) -> dict[str, str | int]:
    code = simulator.grants.redeem_code(
        form.required("code"),
        redirect_uri=form.required("redirect_uri"),
        code_verifier=form.required("code_verifier"),
    )
    refresh_token = simulator.grants.issue_refresh_token(code.grant)
    nonce = code.nonce
    if simulator.faults.takes_wrong_nonce(code.grant):
        nonce = "not-the-nonce-that-was-sent"
    return _answer(simulator, code.grant, code.grant.access, refresh_token, nonce)


def _refresh(simulator: Simulator, form: Parameters) -> dict[str, str | int]:
    presented = simulator.grants.present_refresh_token(form.required("refresh_token"))
    # Before the rotation: a refused scope must not spend the token.
    access = narrowed(presented.grant.access, form.optional("scope"))
    refresh_token = simulator.grants.rotate(presented)
    # No nonce: it belongs to the authorization request (OpenID Connect Core section 12.2).
    return _answer(simulator, presented.grant, access, refresh_token, nonce=None)


def _answer(
    simulator: Simulator, grant: Grant, access: Access, refresh_token: str, nonce: str | None
) -> dict[str, str | int]:
    access_token, remembered = simulator.tokens.access_token(grant, access)
    simulator.grants.remember_access_token(access_token, remembered)
    answer: dict[str, str | int] = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": int((remembered.expires_at - remembered.issued_at).total_seconds()),
        "scope": access.scope,
        "refresh_token": refresh_token,
    }
    if "openid" in access.scopes:
        answer["id_token"] = simulator.tokens.id_token(grant, access_token, nonce)
    return answer
