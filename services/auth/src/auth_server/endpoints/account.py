"""`GET /account`: a person's connected apps, each of which can be disconnected."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth_server.domain.account import AccountSession
from auth_server.domain.resources import ProtectedResources
from auth_server.endpoints.account_cookie import AccountCookie
from auth_server.endpoints.account_sign_in import (
    ACCOUNT,
    SIGN_IN,
    AccountSignIn,
    not_from_our_page,
    to_account,
)
from auth_server.endpoints.connected_app_view import connected_app_view
from auth_server.endpoints.parameters import Parameters, form_parameters
from auth_server.endpoints.signed_form import SignedForm
from auth_server.flows.account_session import AccountSessionOf
from auth_server.flows.end_access import EndAccess
from auth_server.flows.list_connected_apps import ListConnectedApps
from auth_server.pages.account import AccountForms, AccountPageView, Notice
from auth_server.pages.rendering import Pages
from auth_server.storage.grant_listing import GrantSelection


class _Path(StrEnum):
    DISCONNECT = "/account/disconnect"
    DISCONNECT_ALL = "/account/disconnect-all"
    SIGN_OUT = "/account/sign-out"


# What a person looks at, or is led to by a form of theirs: errors there are pages.
ACCOUNT_PATHS: Final = frozenset({ACCOUNT, SIGN_IN, *_Path})


@dataclass(frozen=True, slots=True)
class Account:
    """What the page needs. Each form is bound to the session that it was shown in."""

    sign_in: AccountSignIn
    session_of: AccountSessionOf
    list_connected_apps: ListConnectedApps
    end_access: EndAccess
    form: SignedForm
    cookie: AccountCookie
    pages: Pages
    resources: ProtectedResources

    def routes(self) -> APIRouter:
        """The page and its forms; whoever has no session (any more) is led to sign in."""
        router = APIRouter()

        @router.get(ACCOUNT, summary="A person's connected apps", include_in_schema=False)
        async def account(request: Request) -> Response:
            session = await self._session(request)
            notice = Notice.of(request.query_params.get("notice"), is_signed_in=bool(session))
            if session is None:
                return self.sign_in.page(request, notice)
            return await self._page(session, notice)

        @router.post(_Path.DISCONNECT, summary="Disconnect one app", include_in_schema=False)
        async def disconnect(request: Request) -> Response:
            form = await form_parameters(request)
            session = await self._session(request)
            if session is None:
                return to_account(Notice.ENDED)
            self._check(request, form, session)
            # The same for an app that the person has not connected: nobody learns which exist.
            await self.end_access.app(session.subject.subject, form.optional("client_id") or "")
            return to_account(Notice.DISCONNECTED)

        @router.post(_Path.DISCONNECT_ALL, summary="Disconnect all", include_in_schema=False)
        async def disconnect_all(request: Request) -> Response:
            form = await form_parameters(request)
            session = await self._session(request)
            if session is None:
                return to_account(Notice.ENDED)
            self._check(request, form, session)
            person = GrantSelection(subject=session.subject.subject)
            # The session in which the person says so goes on.
            await self.end_access.all_of(person, keep=session.digest)
            return to_account(Notice.DISCONNECTED_ALL)

        @router.post(_Path.SIGN_OUT, summary="End the session", include_in_schema=False)
        async def sign_out(request: Request) -> Response:
            form = await form_parameters(request)
            session = await self._session(request)
            if session is None:
                # Its cookie stays: a form of another site comes without it, and would take it away.
                return to_account(Notice.SIGNED_OUT)
            self._check(request, form, session)
            await self.session_of.end(session)
            response = to_account(Notice.SIGNED_OUT)
            self.cookie.delete_from(response)
            return response

        return router

    async def _session(self, request: Request) -> AccountSession | None:
        session_digest = self.cookie.read(request)
        return None if session_digest is None else await self.session_of(session_digest)

    def _check(self, request: Request, form: Parameters, session: AccountSession) -> None:
        if not self.form.is_ours(request, form, session.digest):
            raise not_from_our_page("the form has no valid token for this session")

    async def _page(self, session: AccountSession, notice: Notice | None) -> Response:
        apps = await self.list_connected_apps(session.subject.subject)
        return self.pages.account(
            AccountPageView(
                username=session.subject.username,
                apps=tuple(connected_app_view(app, self.resources) for app in apps.listed),
                has_more=apps.has_more,
                notice=notice,
                forms=AccountForms(
                    disconnect=_Path.DISCONNECT,
                    disconnect_all=_Path.DISCONNECT_ALL,
                    sign_out=_Path.SIGN_OUT,
                    csrf_token=self.form.token(session.digest),
                ),
            )
        )
