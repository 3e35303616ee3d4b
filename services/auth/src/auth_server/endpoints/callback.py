"""`GET /callback`: where PingOne sends the browser back."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth_server.domain.authorizations import AuthorizationFailed
from auth_server.domain.errors import CannotRedirect, InvalidRequest
from auth_server.endpoints.account_sign_in import AccountSignIn
from auth_server.endpoints.browser import Browser, BrowserCookie
from auth_server.endpoints.consent_form import ConsentForm
from auth_server.endpoints.parameters import query_parameters
from auth_server.endpoints.responses import ClientRedirect
from auth_server.flows.authenticate_client import ResolveClientId
from auth_server.flows.finish_login import AccountConsentNeeded, FinishLogin, UpstreamAnswer


@dataclass(frozen=True, slots=True)
class Callback:
    """What the endpoint needs."""

    finish_login: FinishLogin
    account_sign_in: AccountSignIn
    resolve_client: ResolveClientId
    cookie: BrowserCookie
    consent_form: ConsentForm
    client_redirect: ClientRedirect

    def routes(self) -> APIRouter:
        """The redirect URI registered at PingOne."""
        router = APIRouter()

        @router.get("/callback", summary="PingOne's answer", include_in_schema=False)
        async def callback(request: Request) -> Response:
            answer = _upstream_answer(request)
            browser = self.cookie.read(request)
            if browser is None:
                raise _not_this_browser("the browser has no cookie of ours")
            try:
                outcome = await self.finish_login(answer, browser.digest)
            except AuthorizationFailed as failure:
                return self.client_redirect.with_error(
                    failure.request.redirect_uri, failure.request.state, failure.error
                )
            if outcome is None:
                return await self._account_signed_in(request, answer, browser)
            if isinstance(outcome, AccountConsentNeeded):
                client = await self.resolve_client(outcome.pending.request.client_id)
                return self.consent_form.show(outcome.pending, client)
            return self.client_redirect.with_code(outcome)

        return router

    async def _account_signed_in(
        self, request: Request, answer: UpstreamAnswer, browser: Browser
    ) -> Response:
        # PingOne knows one redirect URI. The state, unguessable, tells whose answer this is.
        response = await self.account_sign_in.answer(request, answer, browser)
        if response is None:
            raise CannotRedirect(
                "This sign-on has ended",
                "It was finished already, has expired, or was started in another browser.",
                "Go back to your application and connect again.",
                detail="the upstream state is unknown, spent or bound to another browser",
            )
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
        "This sign-on was not started here",
        "The answer from the sign-on service belongs to no request of this browser."
        " Cookies must be allowed for this site.",
        "Go back to your application and connect again.",
        detail=detail,
    )
