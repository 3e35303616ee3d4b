"""`GET /authorize` (OAuth 2.1 4.1.1): ask for consent, or go on to PingOne if it is remembered."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from auth_server.domain.errors import (
    CannotRedirect,
    InvalidRequest,
    OAuthError,
    TemporarilyUnavailable,
)
from auth_server.endpoints import openapi
from auth_server.endpoints.asked_authorization import AskedAuthorization, ReadAuthorization
from auth_server.endpoints.browser import BrowserCookie
from auth_server.endpoints.consent_form import ConsentForm
from auth_server.endpoints.parameters import Parameters, query_parameters
from auth_server.endpoints.responses import ClientRedirect, redirect
from auth_server.endpoints.sign_in_cookies import SignInCookies
from auth_server.flows.go_to_pingone import AtPingOne
from auth_server.flows.start_authorization import StartAuthorization
from auth_server.storage.database import StorageUnavailable


@dataclass(frozen=True, slots=True)
class Authorize:
    """What the endpoint needs."""

    read: ReadAuthorization
    start_authorization: StartAuthorization
    browser_cookie: BrowserCookie
    started_cookies: SignInCookies
    consent_form: ConsentForm
    client_redirect: ClientRedirect

    def routes(self) -> APIRouter:
        """The authorization endpoint."""
        router = APIRouter()

        @router.get(
            "/authorize",
            summary="Start an authorization",
            response_class=HTMLResponse,
            **openapi.AUTHORIZE,
        )
        async def authorize(request: Request) -> Response:
            asked = await self.read.asked(_parameters(request))
            try:
                return await self._start(request, asked)
            except OAuthError as error:
                return self.client_redirect.with_error(asked.redirect_uri, asked.state, error)
            except StorageUnavailable as error:
                unavailable = TemporarilyUnavailable(
                    "the service is unavailable for now; try again later", detail=str(error)
                )
                return self.client_redirect.with_error(asked.redirect_uri, asked.state, unavailable)

        return router

    async def _start(self, request: Request, asked: AskedAuthorization) -> Response:
        browser = self.browser_cookie.read(request)
        outcome = await self.start_authorization(
            self.read.request(asked), None if browser is None else browser.digest
        )
        if not isinstance(outcome, AtPingOne):
            return self.consent_form.ask(request, outcome.request, asked.client)
        response = redirect(outcome.url)
        self.started_cookies.set_on(response, request, outcome.start_id, outcome.secret)
        return response


def _parameters(request: Request) -> Parameters:
    try:
        return query_parameters(request)
    except InvalidRequest as error:
        raise CannotRedirect(
            "This link is damaged",
            "The application sent your browser here with a request that cannot be read.",
            "Go back to your application and connect again.",
            detail=error.description,
        ) from error
