"""`GET /signoff`: the end of a session (OpenID Connect RP-Initiated Logout 1.0)."""

from fastapi import APIRouter, Request, Response

from pingone_simulator.errors import InvalidRequest, PageProblem
from pingone_simulator.pages import Pages
from pingone_simulator.parameters import Parameters, read_query
from pingone_simulator.redirects import redirect_to
from pingone_simulator.session_cookie import delete_session_cookie, session_of
from pingone_simulator.simulator import Simulator


def signoff_routes(simulator: Simulator, pages: Pages) -> APIRouter:
    """The end-session endpoint."""
    router = APIRouter()

    @router.get("/signoff")
    async def signoff(request: Request) -> Response:
        try:
            parameters = read_query(request)
            hinted_sid = _read_id_token_hint(simulator, parameters)
            target = _read_target(simulator, parameters, hinted=hinted_sid is not None)
            state = parameters.optional("state")
        except InvalidRequest as error:
            raise PageProblem(error.description) from error
        session = session_of(request, simulator)
        for sid in (hinted_sid, session.sid if session else None):
            if sid is not None:
                simulator.sessions.end(sid)
        response: Response = pages.signed_off()
        if target is not None:
            response = redirect_to(target, {"state": state}, status=302)
        delete_session_cookie(response, simulator)
        return response

    return router


def _read_id_token_hint(simulator: Simulator, parameters: Parameters) -> str | None:
    id_token_hint = parameters.optional("id_token_hint")
    return simulator.tokens.session_of(id_token_hint) if id_token_hint else None


def _read_target(simulator: Simulator, parameters: Parameters, *, hinted: bool) -> str | None:
    target = parameters.optional("post_logout_redirect_uri")
    if target is None:
        return None
    if not hinted:
        raise InvalidRequest("post_logout_redirect_uri needs an id_token_hint")
    if target not in simulator.client.post_logout_redirect_uris:
        raise InvalidRequest("post_logout_redirect_uri is not registered for this client")
    return target
