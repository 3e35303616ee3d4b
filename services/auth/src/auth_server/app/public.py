"""The public application: OAuth endpoints, PingOne's callback and the pages."""

from datetime import timedelta

from fastapi import APIRouter, Depends, FastAPI
from starlette.types import ASGIApp

from auth_server.app.rate_limits import public_rate_limits, seen_from
from auth_server.app.resources import Resources
from auth_server.app.sign_in import longest_finish, sign_in_cookies, sign_in_routes
from auth_server.domain.grants import RevocationReason
from auth_server.endpoints.account import Account
from auth_server.endpoints.account_cookie import AccountCookie
from auth_server.endpoints.account_sign_in import AccountSignIn
from auth_server.endpoints.browser_requests import is_api, is_page
from auth_server.endpoints.cross_origin import CrossOrigin
from auth_server.endpoints.failures import install_failure_handlers
from auth_server.endpoints.metadata import authorization_server_metadata, metadata_routes
from auth_server.endpoints.rate_limits import LimitedAuthentication, RateLimits
from auth_server.endpoints.register import register_routes
from auth_server.endpoints.revoke import revoke_routes
from auth_server.endpoints.signed_form import SignedForm
from auth_server.endpoints.token import token_routes
from auth_server.flows.account_session import AccountSessionOf
from auth_server.flows.end_access import EndAccess
from auth_server.flows.exchange_code import ExchangeCode
from auth_server.flows.finish_account_login import FinishAccountLogin
from auth_server.flows.issue_handles import IssueHandles
from auth_server.flows.list_connected_apps import ListConnectedApps
from auth_server.flows.make_room import MakeRoom
from auth_server.flows.refresh_handles import RefreshHandles
from auth_server.flows.register_client import RegisterClient
from auth_server.flows.repeat_account_login import RepeatAccountLogin
from auth_server.flows.revoke_handle import RevokeHandle
from auth_server.flows.start_account_login import StartAccountLogin
from auth_server.pages.rendering import Pages
from auth_server.pages.static_files import STATIC_PATH, static_files
from service_kit.client_address import ClientAddress, parse_trusted_proxies
from service_kit.cookies import CookiesApart
from service_kit.fetch_metadata import ResourceIsolation
from service_kit.https_only import https_only
from service_kit.logging import RequestLog
from service_kit.metrics import RequestMetrics


def create_public_app(resources: Resources) -> ASGIApp:
    """The application behind the ingress: OAuth endpoints, callback and pages."""
    api = create_public_api(resources)
    isolated = ResourceIsolation(CrossOrigin(api), is_page=is_page, is_api=is_api)
    app: ASGIApp = RequestMetrics(isolated, registry=resources.registry)
    settings = resources.settings
    trusted = parse_trusted_proxies(settings.auth_trusted_proxies)
    app = CookiesApart(ClientAddress(RequestLog(app), trusted))
    return https_only(app, settings.auth_public_url)


def create_public_api(resources: Resources) -> FastAPI:
    """The routes of the public application, without the middleware around them."""
    settings = resources.settings
    api = FastAPI(
        title="mcp-pingone auth",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    pages = Pages()
    install_failure_handlers(api, pages)
    limits = public_rate_limits(settings, resources.rate_limiter)
    authenticate = LimitedAuthentication(resources.authenticate_client, limits)
    routers = [
        *_page_routes(resources, pages),
        token_routes(authenticate, _exchange_code(resources), _refresh_handles(resources, limits)),
        *_registration_routes(resources),
        revoke_routes(authenticate, RevokeHandle(resources.database, resources.revoke_grant)),
    ]
    for router in routers:
        api.include_router(router, dependencies=[Depends(limits.limit_address)])
    document = authorization_server_metadata(
        settings.auth_public_url,
        resources.protected.scopes,
        [route for router in routers for route in router.routes],
        has_client_documents=settings.auth_client_documents,
    )
    api.include_router(metadata_routes(document))
    api.mount(STATIC_PATH, static_files())
    return api


def _page_routes(resources: Resources, pages: Pages) -> list[APIRouter]:
    account_sign_in = _account_sign_in(resources, pages)
    return [
        *sign_in_routes(resources, pages, account_sign_in),
        _account(resources, pages, account_sign_in).routes(),
    ]


def _account_sign_in(resources: Resources, pages: Pages) -> AccountSignIn:
    database, lifetimes, now = resources.database, resources.lifetimes, resources.now
    return AccountSignIn(
        StartAccountLogin(database, resources.pingone, lifetimes, now),
        FinishAccountLogin(database, resources.pingone, resources.send_revocations, lifetimes, now),
        RepeatAccountLogin(database, longest_finish(resources), now),
        _account_form(resources, "account-sign-in", lifetimes.consent_form),
        sign_in_cookies(resources, "asked"),
        sign_in_cookies(resources, "started"),
        AccountCookie(resources.settings.is_development),
        pages,
    )


def _account(resources: Resources, pages: Pages, sign_in: AccountSignIn) -> Account:
    database, now = resources.database, resources.now
    return Account(
        sign_in,
        AccountSessionOf(database, now),
        ListConnectedApps(resources.configured_clients, database, now),
        EndAccess(database, resources.revoke_grant, RevocationReason.USER, now),
        _account_form(resources, "account", resources.lifetimes.account_session),
        sign_in.account_cookie,
        pages,
        resources.protected,
    )


def _account_form(resources: Resources, purpose: str, lifetime: timedelta) -> SignedForm:
    settings = resources.settings
    return SignedForm(purpose, settings.auth_public_url, settings.cookie_keys, lifetime)


def _exchange_code(resources: Resources) -> ExchangeCode:
    now, revoke_grant = resources.now, resources.revoke_grant
    make_room = MakeRoom(resources.settings.auth_grants_per_client, revoke_grant, now)
    issue = IssueHandles(resources.lifetimes, now)
    return ExchangeCode(resources.database, make_room, issue, revoke_grant, now)


def _refresh_handles(resources: Resources, limits: RateLimits) -> RefreshHandles:
    issue = IssueHandles(resources.lifetimes, resources.now)
    return RefreshHandles(
        resources.database,
        issue,
        resources.revoke_grant,
        resources.lifetimes.refresh_grace,
        limits.limit_refresh,
        resources.now,
    )


def _registration_routes(resources: Resources) -> list[APIRouter]:
    settings = resources.settings
    if settings.auth_registration == "off":
        return []
    register_client = RegisterClient(
        resources.database,
        resources.lifetimes,
        settings.private_use_schemes,
        settings.auth_client_ceiling,
        settings.auth_registration == "token",
        seen_from(settings),
        resources.now,
    )
    return [register_routes(register_client)]
