"""Wires the way of a person: /authorize, the consent pages, PingOne's callback."""

from datetime import timedelta
from typing import Final, Literal

from fastapi import APIRouter

from auth_server.app.resources import Resources
from auth_server.endpoints.account_consent_form import AccountConsentForm
from auth_server.endpoints.account_sign_in import AccountSignIn
from auth_server.endpoints.asked_authorization import ReadAuthorization
from auth_server.endpoints.authorize import Authorize
from auth_server.endpoints.browser import BrowserCookie
from auth_server.endpoints.callback import Callback
from auth_server.endpoints.consent import Consent
from auth_server.endpoints.consent_form import ACTION, ConsentForm
from auth_server.endpoints.consent_view import ConsentPages
from auth_server.endpoints.repeated import Repeated
from auth_server.endpoints.responses import ClientRedirect
from auth_server.endpoints.sealed_form import SealedForm
from auth_server.endpoints.sign_in_cookies import SignInCookies
from auth_server.endpoints.signed_form import SignedForm
from auth_server.flows.begin_sign_on import BeginSignOn
from auth_server.flows.confirm_account import ConfirmAccount
from auth_server.flows.decide_consent import DecideConsent
from auth_server.flows.finish_login import FinishLogin
from auth_server.flows.go_to_pingone import GoToPingOne
from auth_server.flows.issue_code import IssueCode
from auth_server.flows.repeat_answer import RepeatAnswer
from auth_server.flows.start_authorization import StartAuthorization
from auth_server.pages.rendering import Pages

# PingOne is asked three times at the most: for its metadata, for tokens and for keys.
_QUESTIONS_TO_PINGONE: Final = 3
_OWN_WORK: Final = timedelta(seconds=10)


def sign_in_cookies(resources: Resources, kind: Literal["asked", "started"]) -> SignInCookies:
    """The cookies of forms that ask, or of sign-ons that have begun."""
    lifetimes = resources.lifetimes
    lifetime = lifetimes.consent_form if kind == "asked" else lifetimes.sign_on
    return SignInCookies(
        kind, lifetime + lifetimes.late, resources.settings.is_development, resources.now
    )


def longest_finish(resources: Resources) -> timedelta:
    """For how long a process looks at PingOne's answer at the most, unless it was killed."""
    timeout = timedelta(seconds=resources.settings.pingone_timeout_seconds)
    return _QUESTIONS_TO_PINGONE * timeout + _OWN_WORK


def sign_in_routes(
    resources: Resources, pages: Pages, account_sign_in: AccountSignIn
) -> list[APIRouter]:
    """The routes that a person's browser takes to a code."""
    settings, database = resources.settings, resources.database
    lifetimes, now = resources.lifetimes, resources.now
    browser_cookie = BrowserCookie(settings.is_development)
    started = account_sign_in.started_cookies
    consent_pages = ConsentPages(pages, resources.protected, ACTION)
    consent_form = ConsentForm(
        SealedForm("consent-form", settings.auth_public_url, settings.cookie_keys, now),
        account_sign_in.asked_cookies,
        consent_pages,
        lifetimes.consent_form,
        now,
    )
    account_form = AccountConsentForm(
        SignedForm(
            "account-consent",
            settings.auth_public_url,
            settings.cookie_keys,
            lifetimes.sign_on + lifetimes.late,
        ),
        started,
        consent_pages,
    )
    read = ReadAuthorization(resources.resolve_client, resources.protected)
    begin = BeginSignOn(GoToPingOne(resources.pingone, resources.protected), lifetimes, now)
    issue_code = IssueCode(resources.protected, lifetimes, resources.revoke_grant, now)
    client_redirect = ClientRedirect(settings.auth_public_url)
    repeated = Repeated(
        RepeatAnswer(
            database,
            resources.revoke_upstream,
            lifetimes,
            longest_finish(resources),
            now,
            resources.sleep,
        ),
        resources.resolve_client,
        account_form,
        client_redirect,
        pages,
    )
    finish_login = FinishLogin(
        database,
        resources.pingone,
        resources.protected,
        issue_code,
        resources.send_revocations,
        lifetimes,
        now,
    )
    return [
        Authorize(
            read,
            StartAuthorization(database, begin, now),
            browser_cookie,
            started,
            consent_form,
            client_redirect,
        ).routes(),
        Consent(
            read,
            DecideConsent(database, begin, lifetimes, now),
            ConfirmAccount(database, issue_code, resources.revoke_upstream, lifetimes, now),
            repeated,
            consent_form,
            account_form,
            browser_cookie,
            started,
            client_redirect,
        ).routes(),
        Callback(finish_login, account_sign_in, repeated, started, client_redirect).routes(),
        account_sign_in.routes(),
    ]
