"""The consent form: shown with a token that only this browser can send back, read only with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from auth_server.domain.authorizations import PendingAuthorization
from auth_server.domain.client_documents import document_host
from auth_server.domain.clients import Client
from auth_server.domain.errors import CannotRedirect
from auth_server.domain.handles import Digest
from auth_server.domain.redirect_uris import Target
from auth_server.domain.resources import ProtectedResources
from auth_server.endpoints.browser import BrowserCookie
from auth_server.endpoints.parameters import Parameters
from auth_server.endpoints.signed_form import SignedForm
from auth_server.pages.consent import ConsentView, describe_scopes
from auth_server.pages.rendering import Pages
from service_kit.urls import ImproperUrl, parse_url

ACTION: Final = "/consent"


@dataclass(frozen=True, slots=True)
class Submission:
    """A decision that this browser really sent from our page."""

    authorization_id: str
    browser_digest: Digest
    is_allowed: bool


class ConsentForm:
    """Signs what it shows and checks what comes back; for the keys, see SignedForm."""

    def __init__(
        self,
        *,
        issuer: str,
        cookie_keys: Sequence[str],
        lifetime: timedelta,
        cookie: BrowserCookie,
        pages: Pages,
        resources: ProtectedResources,
    ) -> None:
        self._form = SignedForm("consent-form", issuer, cookie_keys, lifetime)
        self._cookie = cookie
        self._pages = pages
        self._resources = resources

    def show(self, pending: PendingAuthorization, client: Client) -> Response:
        """The page that asks for this authorization; with the account, if it is the second one."""
        request, metadata = pending.request, client.metadata
        account, resource = pending.account, self._resources.find(request.resource)
        return self._pages.consent(
            ConsentView(
                client_name=metadata.client_name,
                client_id=client.client_id,
                client_uri_host=_shown_host(metadata.client_uri),
                target=Target.of(request.redirect_uri),
                scopes=describe_scopes(
                    request.scopes, {} if resource is None else resource.scope_descriptions
                ),
                resource=request.resource,
                account_name=None if account is None else account.subject.username,
                form_action=ACTION,
                csrf_token=self._form.token(pending.browser_digest, pending.id),
                authorization_id=pending.id,
                resource_name=None if resource is None else resource.name,
                document_host=document_host(client.client_id),
            )
        )

    def read(self, request: Request, form: Parameters) -> Submission:
        """Return the decision; raise CannotRedirect unless this browser sent it from our page."""
        browser = self._cookie.read(request)
        authorization_id = form.optional("authorization_id")
        decision = form.optional("decision")
        if (
            browser is None
            or authorization_id is None
            or not self._form.is_ours(request, form, browser.digest, authorization_id)
        ):
            raise _not_from_our_page("the form has no valid token for this browser")
        if decision not in {"allow", "deny"}:
            raise _not_from_our_page("the form has no decision")
        return Submission(authorization_id, browser.digest, decision == "allow")


def _shown_host(client_uri: str | None) -> str | None:
    try:
        return parse_url(client_uri).shown_authority if client_uri else None
    except ImproperUrl:
        return None


def _not_from_our_page(detail: str) -> CannotRedirect:
    return CannotRedirect(
        "This decision could not be accepted",
        "It did not come from the page that we showed to this browser, or the page was too old."
        " Cookies must be allowed for this site.",
        "Go back to your application and connect again.",
        detail=detail,
    )
