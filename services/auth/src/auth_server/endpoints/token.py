"""`POST /token` (OAuth 2.1 4.1.3, 4.3)."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from auth_server.domain.clients import Client, GrantType
from auth_server.domain.errors import InvalidRequest, UnsupportedGrantType
from auth_server.domain.handles import IssuedHandles
from auth_server.domain.pkce import is_code_verifier
from auth_server.domain.scopes import format_scope
from auth_server.endpoints import openapi
from auth_server.endpoints.parameters import Parameters, form_parameters
from auth_server.endpoints.rate_limits import LimitedAuthentication
from auth_server.endpoints.responses import NO_STORE
from auth_server.flows.exchange_code import CodeExchange, ExchangeCode
from auth_server.flows.refresh_handles import HandleRefresh, RefreshHandles


def token_routes(
    authenticate: LimitedAuthentication,
    exchange_code: ExchangeCode,
    refresh_handles: RefreshHandles,
) -> APIRouter:
    """The token endpoint: authenticate, dispatch by grant_type, answer with handles."""
    router = APIRouter()

    @router.post(
        "/token", summary="Exchange a code or a refresh handle for handles", **openapi.TOKEN
    )
    async def token(request: Request) -> Response:
        form = await form_parameters(request)
        client = await authenticate(request, form)
        return _token_response(await _grant(client, form))

    async def _grant(client: Client, form: Parameters) -> IssuedHandles:
        grant_type = form.required("grant_type")
        if grant_type == GrantType.AUTHORIZATION_CODE:
            return await exchange_code(client, _code_exchange(form))
        if grant_type == GrantType.REFRESH_TOKEN:
            return await refresh_handles(client, _handle_refresh(form))
        raise UnsupportedGrantType("grant_type must be authorization_code or refresh_token")

    return router


def _code_exchange(form: Parameters) -> CodeExchange:
    code_verifier = form.required("code_verifier")
    if not is_code_verifier(code_verifier):
        raise InvalidRequest("code_verifier must be 43 to 128 unreserved characters")
    return CodeExchange(
        code=form.required("code"),
        code_verifier=code_verifier,
        redirect_uri=form.optional("redirect_uri"),
        resources=form.every("resource"),
    )


def _handle_refresh(form: Parameters) -> HandleRefresh:
    return HandleRefresh(
        raw_handle=form.required("refresh_token"),
        scope=form.optional("scope"),
        resources=form.every("resource"),
    )


def _token_response(issued: IssuedHandles) -> Response:
    body: dict[str, str | int] = {
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": issued.expires_in_seconds,
        "scope": format_scope(issued.scopes),
    }
    if issued.refresh is not None:
        body["refresh_token"] = issued.refresh
    return JSONResponse(body, headers=NO_STORE)
