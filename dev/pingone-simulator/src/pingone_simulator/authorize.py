"""`GET /authorize`: the start of a sign-on (RFC 6749 section 4.1.1, OpenID Connect Core 3.1.2)."""

from fastapi import APIRouter, Request, Response

from pingone_simulator.authorization_request import (
    read_authorization_request,
    read_client_redirect,
)
from pingone_simulator.correlation import correlation_id_of
from pingone_simulator.errors import (
    InvalidRequest,
    LoginRequired,
    OAuthError,
    PageProblem,
)
from pingone_simulator.parameters import Parameters, read_query
from pingone_simulator.session_cookie import session_of
from pingone_simulator.sign_on import SignOnForm, redirect_with_code
from pingone_simulator.simulator import Simulator


def authorize_routes(simulator: Simulator, form: SignOnForm) -> APIRouter:
    """The authorization endpoint."""
    router = APIRouter()

    @router.get("/authorize")
    async def authorize(request: Request) -> Response:
        parameters = _read_query_or_explain(request)
        redirect = read_client_redirect(parameters, simulator.client)
        session = session_of(request, simulator)
        try:
            asked = read_authorization_request(parameters, redirect, simulator.resources)
            signed_on = asked.accepts(session, simulator.now())
            if asked.prompt == "none" and not signed_on:
                raise LoginRequired("The person must sign on, and prompt=none forbids to ask")
        except OAuthError as error:
            return redirect.with_error(error, correlation_id_of(request), status=302)
        if session is None or not signed_on:
            return form.page(asked)
        simulator.sessions.touch(session)
        return redirect_with_code(simulator, asked, session, status=302)

    return router


def _read_query_or_explain(request: Request) -> Parameters:
    try:
        return read_query(request)
    except InvalidRequest as error:
        raise PageProblem(error.description) from error
