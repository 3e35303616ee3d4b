"""`POST /consent`: the decision on a consent page."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth_server.domain.authorizations import AlreadyDecided, AuthorizationFailed
from auth_server.domain.errors import OAuthError
from auth_server.endpoints.account_consent_form import STATE_FIELD, AccountConsentForm
from auth_server.endpoints.asked_authorization import AskedAuthorization, ReadAuthorization
from auth_server.endpoints.browser import BrowserCookie
from auth_server.endpoints.consent_form import ACTION, ConsentForm, Submission
from auth_server.endpoints.parameters import Parameters, form_parameters
from auth_server.endpoints.repeated import Repeated
from auth_server.endpoints.responses import ClientRedirect, redirect
from auth_server.endpoints.sign_in_cookies import SignInCookies
from auth_server.flows.confirm_account import ConfirmAccount
from auth_server.flows.decide_consent import DecideConsent


@dataclass(frozen=True, slots=True)
class Consent:
    """What the endpoint needs."""

    read: ReadAuthorization
    decide_consent: DecideConsent
    confirm_account: ConfirmAccount
    repeated: Repeated
    consent_form: ConsentForm
    account_form: AccountConsentForm
    browser_cookie: BrowserCookie
    started_cookies: SignInCookies
    client_redirect: ClientRedirect

    def routes(self) -> APIRouter:
        """The target of both forms."""
        router = APIRouter()

        @router.post(ACTION, summary="Allow or deny an authorization", include_in_schema=False)
        async def consent(request: Request) -> Response:
            form = await form_parameters(request)
            try:
                if STATE_FIELD in form:
                    return await self._second(request, form)
                return await self._first(request, form)
            except AuthorizationFailed as failure:
                return self.client_redirect.failed(failure)

        return router

    async def _first(self, request: Request, form: Parameters) -> Response:
        submission = self.consent_form.read(request, form)
        asked = await self.read.asked(submission.parameters)
        try:
            return await self._decide(request, submission, asked)
        except OAuthError as error:
            return self.client_redirect.with_error(asked.redirect_uri, asked.state, error)

    async def _decide(
        self, request: Request, submission: Submission, asked: AskedAuthorization
    ) -> Response:
        authorization = self.read.request(asked)
        if not submission.is_allowed:
            await self.decide_consent.deny(submission.form_id, authorization)
        if submission.is_late:
            await self.decide_consent.too_late(submission.form_id, authorization)
        if not submission.was_about(authorization):
            return self.consent_form.ask_again(
                request, authorization, asked.client, submission.query
            )
        browser = self.browser_cookie.read_or_new(request)
        at_pingone = await self.decide_consent.allow(
            submission.form_id, authorization, browser.digest
        )
        response = redirect(at_pingone.url)
        self.browser_cookie.set_on(response, browser)
        self.started_cookies.set_on(response, request, at_pingone.start_id, at_pingone.secret)
        return response

    async def _second(self, request: Request, form: Parameters) -> Response:
        submission = self.account_form.read(request, form)
        decide = self.confirm_account.allow if submission.is_allowed else self.confirm_account.deny
        answered = await decide(submission.returned)
        if answered is not None:
            return self.client_redirect.answered(answered)
        again = await self.repeated(submission.returned, is_denial=not submission.is_allowed)
        if again is None:
            raise AlreadyDecided(None)
        return again
