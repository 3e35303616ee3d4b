"""`GET /authorize` (OAuth 2.1 4.1.1): where an error may go decides the order of the checks."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from auth_server.domain.authorization_requests import (
    parse_authorization_request,
    proven_redirect_uri,
)
from auth_server.domain.clients import Client
from auth_server.domain.errors import (
    CannotRedirect,
    InvalidClient,
    InvalidRequest,
    OAuthError,
    TemporarilyUnavailable,
    UnusableDocument,
)
from auth_server.domain.resources import ProtectedResources
from auth_server.endpoints import openapi
from auth_server.endpoints.browser import Browser, BrowserCookie
from auth_server.endpoints.consent_form import ConsentForm
from auth_server.endpoints.parameters import Parameters, query_parameters
from auth_server.endpoints.responses import ClientRedirect, redirect
from auth_server.flows.authenticate_client import ResolveClientId
from auth_server.flows.start_authorization import AtPingOne, StartAuthorization
from auth_server.storage.database import StorageUnavailable


@dataclass(frozen=True, slots=True)
class Authorize:
    """What the endpoint needs."""

    resolve_client: ResolveClientId
    start_authorization: StartAuthorization
    resources: ProtectedResources
    cookie: BrowserCookie
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
            parameters = _parameters(request)
            client = await self._client(parameters)
            redirect_uri = proven_redirect_uri(parameters, client)
            browser = self.cookie.read_or_new(request)
            try:
                response = await self._start(parameters, client, redirect_uri, browser)
            except OAuthError as error:
                return self.client_redirect.with_error(redirect_uri, _state(parameters), error)
            except StorageUnavailable as error:
                unavailable = TemporarilyUnavailable(
                    "the service is unavailable for now; try again later", detail=str(error)
                )
                return self.client_redirect.with_error(
                    redirect_uri, _state(parameters), unavailable
                )
            self.cookie.set_on(response, browser)
            return response

        return router

    async def _client(self, parameters: Parameters) -> Client:
        values = parameters.get("client_id", ())
        try:
            if len(values) != 1:
                raise InvalidClient("client_id is missing or repeated")
            return await self.resolve_client(values[0])
        except UnusableDocument as error:
            raise _unusable(error) from error
        except InvalidClient as error:
            raise CannotRedirect(
                "This application is not known here",
                "It was never registered, or its registration has expired or been removed.",
                "Remove the connection in your application and add it again:"
                " it will then register anew.",
                detail=error.description,
                status=error.status,
            ) from error

    async def _start(
        self, parameters: Parameters, client: Client, redirect_uri: str, browser: Browser
    ) -> Response:
        request = parse_authorization_request(parameters, client, redirect_uri, self.resources)
        outcome = await self.start_authorization(request, browser.digest)
        if isinstance(outcome, AtPingOne):
            return redirect(outcome.url)
        return self.consent_form.show(outcome.pending, client)


def _unusable(error: UnusableDocument) -> CannotRedirect:
    return CannotRedirect(
        "This application cannot be recognised",
        "It does not register here: it publishes a document about itself on the web. But"
        f" {error.description}.",
        "Wait a minute, then connect again from your application. If it stays like this, tell"
        " those who make the application, or those who run this service.",
        detail=str(error),
        status=error.status,
    )


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


def _state(parameters: Parameters) -> str | None:
    values = parameters.get("state", ())
    return values[0] if len(values) == 1 and values[0] else None
