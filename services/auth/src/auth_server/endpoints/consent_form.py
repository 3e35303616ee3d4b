"""The consent form carries the whole request, sealed: nothing is stored before somebody decides."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from auth_server.domain.authorizations import AuthorizationRequest
from auth_server.domain.clients import Client
from auth_server.domain.errors import CannotRedirect
from auth_server.domain.handles import new_id, new_secret
from auth_server.domain.scopes import Scopes
from auth_server.endpoints.consent_view import ConsentPages
from auth_server.endpoints.parameters import Parameters, parse_query
from auth_server.endpoints.same_origin import is_same_origin
from auth_server.endpoints.sealed_form import SealedForm, Unsealed
from auth_server.endpoints.sign_in_cookies import SignInCookies

ACTION: Final = "/consent"


@dataclass(frozen=True, slots=True)
class Submission:
    """A decision that this browser really sent from our page, about what the page showed."""

    form_id: str
    query: str
    resource: str
    scopes: Scopes
    is_allowed: bool
    is_late: bool

    @property
    def parameters(self) -> Parameters:
        """What /authorize was asked."""
        return parse_query(self.query.encode("ascii"))

    def was_about(self, request: AuthorizationRequest) -> bool:
        """Whether the page asked for just this, which may have been configured anew meanwhile."""
        return (request.resource, request.scopes) == (self.resource, self.scopes)


@dataclass(frozen=True, slots=True)
class ConsentForm:
    """Seals what it shows into the page, for the browser that gets the form's own cookie."""

    sealed_form: SealedForm
    asked_cookies: SignInCookies
    pages: ConsentPages
    lifetime: timedelta
    now: Callable[[], datetime]

    def ask(self, request: Request, asked: AuthorizationRequest, client: Client) -> Response:
        """The page that asks for this; `request` brought its parameters in its query."""
        return self.ask_again(request, asked, client, request.scope["query_string"].decode("ascii"))

    def ask_again(
        self, request: Request, asked: AuthorizationRequest, client: Client, query: str
    ) -> Response:
        """The page under a fresh id, for parameters that came in another way."""
        form_id, secret = new_id(), new_secret()
        shown = {"query": query, "resource": asked.resource, "scopes": sorted(asked.scopes)}
        sealed = self.sealed_form.seal(json.dumps(shown).encode(), form_id=form_id, secret=secret)
        response = self.pages.ask(asked, client, {"form_id": form_id, "sealed": sealed})
        self.asked_cookies.set_on(response, request, form_id, secret)
        return response

    def read(self, request: Request, form: Parameters) -> Submission:
        """Return the decision; raise CannotRedirect unless this browser sent it from our page."""
        decision = form.optional("decision")
        if decision not in {"allow", "deny"}:
            raise not_from_our_page("the form has no decision")
        form_id = form.optional("form_id") or ""
        unsealed = self._unseal(request, form, form_id)
        shown = json.loads(unsealed.content)
        return Submission(
            form_id,
            shown["query"],
            shown["resource"],
            frozenset(shown["scopes"]),
            is_allowed=decision == "allow",
            is_late=self.now() >= unsealed.sealed_at + self.lifetime,
        )

    def _unseal(self, request: Request, form: Parameters, form_id: str) -> Unsealed:
        if not is_same_origin(request, self.sealed_form.issuer):
            raise not_from_our_page("another origin sent the form")
        secret = self.asked_cookies.secret_of(request, form_id)
        if secret is None:
            raise not_from_our_page("the browser has no cookie of this form")
        sealed = form.optional("sealed") or ""
        unsealed = self.sealed_form.unseal(sealed, form_id=form_id, secret=secret)
        if unsealed is None:
            raise not_from_our_page("the form was not sealed here for this browser")
        # The cookie's own Max-Age is the browser's to keep.
        if self.now() >= unsealed.sealed_at + self.asked_cookies.lifetime:
            raise not_from_our_page("the form was shown too long ago")
        return unsealed


def not_from_our_page(detail: str) -> CannotRedirect:
    """Nothing that another site, another browser or an old page sends decides anything."""
    return CannotRedirect(
        "This decision could not be accepted",
        "It did not come from a page that this browser was shown in the last hours, or the browser"
        " did not send back the cookie that belongs to the page.",
        "Go back to your application and connect again.",
        detail=detail,
    )
