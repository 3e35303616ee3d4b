"""Signing in to the account page: `POST /account/sign-in`, and what PingOne's answer leads to."""

from dataclasses import dataclass
from typing import Final

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth_server.domain.account import AccountLoginFailed, SignInFailure
from auth_server.domain.errors import CannotRedirect, TemporarilyUnavailable
from auth_server.endpoints.account_cookie import AccountCookie
from auth_server.endpoints.browser import Browser, BrowserCookie
from auth_server.endpoints.parameters import form_parameters
from auth_server.endpoints.responses import redirect
from auth_server.endpoints.signed_form import SignedForm
from auth_server.flows.finish_account_login import FinishAccountLogin
from auth_server.flows.finish_login import UpstreamAnswer
from auth_server.flows.start_account_login import StartAccountLogin
from auth_server.pages.account import Notice, SignInView
from auth_server.pages.rendering import Pages

ACCOUNT: Final = "/account"
SIGN_IN: Final = "/account/sign-in"

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
    form: SignedForm
    browser_cookie: BrowserCookie
    account_cookie: AccountCookie
    pages: Pages

    def routes(self) -> APIRouter:
        """The target of the page's button."""
        router = APIRouter()

        @router.post(SIGN_IN, summary="Sign in to the account page", include_in_schema=False)
        async def sign_in(request: Request) -> Response:
            form = await form_parameters(request)
            browser = self.browser_cookie.read(request)
            if browser is None or not self.form.is_ours(request, form, browser.digest):
                raise not_from_our_page("the sign-in form has no valid token for this browser")
            try:
                at_pingone = await self.start(browser.digest)
            except TemporarilyUnavailable as error:
                _log.info("account.sign_in_failed", failure="unavailable", detail=str(error))
                return to_account(Notice.UNAVAILABLE)
            return redirect(at_pingone.url)

        return router

    def page(self, request: Request, notice: Notice | None) -> Response:
        """What somebody sees who is not signed in."""
        browser = self.browser_cookie.read_or_new(request)
        response = self.pages.account_sign_in(
            SignInView(SIGN_IN, self.form.token(browser.digest), notice)
        )
        self.browser_cookie.set_on(response, browser)
        return response

    async def answer(
        self, request: Request, answer: UpstreamAnswer, browser: Browser
    ) -> Response | None:
        """PingOne's answer, if it is one to a sign-in of this browser; None if it is not."""
        try:
            secret = await self.finish(
                answer, browser.digest, replaces=self.account_cookie.read(request)
            )
        except AccountLoginFailed as failed:
            _log.info("account.sign_in_failed", failure=failed.failure, detail=str(failed))
            return to_account(_NOTICES[failed.failure])
        if secret is None:
            return None
        response = to_account(None)
        self.account_cookie.set_on(response, secret)
        return response


def to_account(notice: Notice | None) -> Response:
    """Back to the page, which says in fixed words of ours what has happened."""
    return redirect(ACCOUNT if notice is None else f"{ACCOUNT}?notice={notice}")


def not_from_our_page(detail: str) -> CannotRedirect:
    """Nothing that another site or an old page sends changes anything."""
    return CannotRedirect(
        "This could not be accepted",
        "It did not come from the page that we showed to this browser, or the page was too old."
        " Cookies must be allowed for this site.",
        "Open the page of your connected apps again, and choose again there.",
        detail=detail,
    )
