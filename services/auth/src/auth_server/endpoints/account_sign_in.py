"""Signing in to the account page: `POST /account/sign-in`, and what PingOne's answer leads to."""

from dataclasses import dataclass
from typing import Final

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth_server.domain.account import AccountLoginFailed, SignInFailure
from auth_server.domain.errors import CannotRedirect, TemporarilyUnavailable
from auth_server.domain.handles import digest, new_id, new_secret
from auth_server.endpoints.account_cookie import AccountCookie
from auth_server.endpoints.parameters import form_parameters
from auth_server.endpoints.responses import redirect
from auth_server.endpoints.sign_in_cookies import SignInCookies
from auth_server.endpoints.signed_form import TOKEN_FIELD, SignedForm
from auth_server.flows.client_answers import Returned
from auth_server.flows.finish_account_login import FinishAccountLogin
from auth_server.flows.finish_login import UpstreamAnswer
from auth_server.flows.repeat_account_login import RepeatAccountLogin
from auth_server.flows.repeat_answer import StillFinishing
from auth_server.flows.start_account_login import StartAccountLogin
from auth_server.pages.account import Notice, SignInView
from auth_server.pages.outcome import Outcome
from auth_server.pages.rendering import Pages

ACCOUNT: Final = "/account"
SIGN_IN: Final = "/account/sign-in"

_FORM_ID: Final = "form_id"

_NOTICES: Final = {
    SignInFailure.CANCELLED: Notice.CANCELLED,
    SignInFailure.UNAVAILABLE: Notice.UNAVAILABLE,
    SignInFailure.FAILED: Notice.FAILED,
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AccountSignIn:
    """What signing in needs. Only the browser that was shown the page can begin or end it."""

    start: StartAccountLogin
    finish: FinishAccountLogin
    repeat: RepeatAccountLogin
    form: SignedForm
    asked_cookies: SignInCookies
    started_cookies: SignInCookies
    account_cookie: AccountCookie
    pages: Pages

    def routes(self) -> APIRouter:
        """The target of the page's button."""
        router = APIRouter()

        @router.post(SIGN_IN, summary="Sign in to the account page", include_in_schema=False)
        async def sign_in(request: Request) -> Response:
            form = await form_parameters(request)
            form_id = form.optional(_FORM_ID) or ""
            secret = self.asked_cookies.secret_of(request, form_id)
            if secret is None or not self.form.is_ours(request, form, digest(secret), form_id):
                raise not_from_our_page("the sign-in form has no valid token for this browser")
            try:
                at_pingone = await self.start()
            except TemporarilyUnavailable as error:
                _log.info("account.sign_in_failed", failure="unavailable", detail=str(error))
                return to_account(Notice.UNAVAILABLE)
            response = redirect(at_pingone.url)
            self.started_cookies.set_on(response, request, at_pingone.start_id, at_pingone.secret)
            return response

        return router

    def page(self, request: Request, notice: Notice | None) -> Response:
        """What somebody sees who is not signed in."""
        form_id, secret = new_id(), new_secret()
        fields = {_FORM_ID: form_id, TOKEN_FIELD: self.form.token(digest(secret), form_id)}
        response = self.pages.account_sign_in(SignInView(SIGN_IN, fields, notice))
        self.asked_cookies.set_on(response, request, form_id, secret)
        return response

    async def answer(
        self, request: Request, answer: UpstreamAnswer, returned: Returned
    ) -> Response | None:
        """PingOne's answer, if it is one to a sign-in of this browser; None if it is not."""
        try:
            secret = await self.finish(answer, returned, replaces=self.account_cookie.read(request))
            return await self._repeated(returned) if secret is None else self._signed_in(secret)
        except AccountLoginFailed as failed:
            _log.info("account.sign_in_failed", failure=failed.failure, detail=str(failed))
            return to_account(_NOTICES[failed.failure])

    async def _repeated(self, returned: Returned) -> Response | None:
        found = await self.repeat(returned)
        if isinstance(found, StillFinishing):
            return self.pages.outcome(Outcome.STILL_FINISHING)
        return None if found is None else self._signed_in(found.session_secret)

    def _signed_in(self, secret: str | None) -> Response:
        response = to_account(None)
        if secret is not None:
            self.account_cookie.set_on(response, secret)
        return response


def to_account(notice: Notice | None) -> Response:
    """Back to the page, which says in fixed words of ours what has happened."""
    return redirect(ACCOUNT if notice is None else f"{ACCOUNT}?notice={notice}")


def not_from_our_page(detail: str) -> CannotRedirect:
    """Nothing that another site or an old page sends changes anything."""
    return CannotRedirect(
        "This could not be accepted",
        "It did not come from a page that this browser was shown, or the page was too old, or the"
        " browser did not send back the cookie that belongs to the page.",
        "Open the page of your connected apps again, and choose again there.",
        detail=detail,
    )
