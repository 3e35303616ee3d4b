"""The second consent form: it carries the state, signed, and counts with the sign-on's cookie."""

from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response

from auth_server.domain.authorizations import PendingAuthorization
from auth_server.domain.clients import Client
from auth_server.endpoints.consent_form import not_from_our_page
from auth_server.endpoints.consent_view import ConsentPages
from auth_server.endpoints.parameters import Parameters
from auth_server.endpoints.sign_in_cookies import SignInCookies
from auth_server.endpoints.signed_form import TOKEN_FIELD, SignedForm
from auth_server.flows.client_answers import Returned

STATE_FIELD = "upstream_state"


@dataclass(frozen=True, slots=True)
class AccountSubmission:
    """A decision about an account, from the browser that came back from PingOne with it."""

    returned: Returned
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class AccountConsentForm:
    """Shows the account that came back, and reads the decision."""

    form: SignedForm
    started_cookies: SignInCookies
    pages: ConsentPages

    def ask(self, pending: PendingAuthorization, client: Client, state: str) -> Response:
        """The page that names the account."""
        fields = {
            STATE_FIELD: state,
            TOKEN_FIELD: self.form.token(pending.started_digest, state),
        }
        username = "" if pending.account is None else pending.account.subject.username
        return self.pages.ask(pending.request, client, fields, account_name=username)

    def read(self, request: Request, form: Parameters) -> AccountSubmission:
        """Return the decision; raise CannotRedirect unless this browser sent it from our page."""
        decision, state = form.optional("decision"), form.optional(STATE_FIELD) or ""
        if decision not in {"allow", "deny"}:
            raise not_from_our_page("the form has no decision")
        returned = Returned.of(state, self.started_cookies.secrets(request))
        if not any(self.form.is_ours(request, form, owner, state) for owner in returned.started):
            raise not_from_our_page("the form has no valid token for a sign-on of this browser")
        return AccountSubmission(returned, decision == "allow")
