"""`GET /callback`: where PingOne sends the browser back."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth_server.domain.authorizations import AuthorizationFailed
from auth_server.domain.errors import CannotRedirect, InvalidRequest
from auth_server.endpoints.account_sign_in import AccountSignIn
from auth_server.endpoints.parameters import query_parameters
from auth_server.endpoints.repeated import Repeated
from auth_server.endpoints.responses import ClientRedirect
from auth_server.endpoints.sign_in_cookies import SignInCookies
from auth_server.flows.client_answers import Returned
from auth_server.flows.finish_login import AccountConsentNeeded, FinishLogin, UpstreamAnswer


@dataclass(frozen=True, slots=True)
class Callback:
    """What the endpoint needs."""

    finish_login: FinishLogin
    account_sign_in: AccountSignIn
    repeated: Repeated
    started_cookies: SignInCookies
    client_redirect: ClientRedirect

    def routes(self) -> APIRouter:
        """The redirect URI registered at PingOne."""
        router = APIRouter()

        @router.get("/callback", summary="PingOne's answer", include_in_schema=False)
        async def callback(request: Request) -> Response:
            answer = _upstream_answer(request)
            returned = Returned.of(answer.state, self.started_cookies.secrets(request))
            if not returned.started:
                raise _not_this_browser("the browser has no cookie of a sign-on")
            try:
                return await self._answer(request, answer, returned)
            except AuthorizationFailed as failure:
                return self.client_redirect.failed(failure)

        return router

    async def _answer(
        self, request: Request, answer: UpstreamAnswer, returned: Returned
    ) -> Response:
        outcome = await self.finish_login(answer, returned)
        if isinstance(outcome, AccountConsentNeeded):
            return await self.repeated.ask(outcome, returned)
        if outcome is not None:
            return self.client_redirect.answered(outcome)
        # PingOne knows one redirect URI. The state, unguessable, tells whose answer this is.
        response = await self.account_sign_in.answer(request, answer, returned)
        response = response or await self.repeated(returned)
        if response is None:
            raise _not_this_browser("the upstream state is unknown, or bound to another browser")
        return response


def _upstream_answer(request: Request) -> UpstreamAnswer:
    try:
        parameters = query_parameters(request)
        parameters.refuse_repetition()
        return UpstreamAnswer(
            state=parameters.required("state"),
            code=parameters.optional("code"),
            error=parameters.optional("error"),
        )
    except InvalidRequest as error:
        raise _not_this_browser(error.description) from error


def _not_this_browser(detail: str) -> CannotRedirect:
    return CannotRedirect(
        "This sign-on is not known here",
        "The answer from PingOne belongs to no sign-on that this browser has begun in the last"
        " hours.",
        "Go back to your application and connect again, in the browser that it opens.",
        detail=detail,
    )
