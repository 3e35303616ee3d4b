"""`POST /consent`: the decision on a consent page."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth_server.domain.authorizations import AuthorizationFailed
from auth_server.endpoints.consent_form import ACTION, ConsentForm
from auth_server.endpoints.parameters import form_parameters
from auth_server.endpoints.responses import ClientRedirect, redirect
from auth_server.flows.decide_consent import DecideConsent
from auth_server.flows.start_authorization import AtPingOne


@dataclass(frozen=True, slots=True)
class Consent:
    """What the endpoint needs."""

    decide_consent: DecideConsent
    consent_form: ConsentForm
    client_redirect: ClientRedirect

    def routes(self) -> APIRouter:
        """The form's target."""
        router = APIRouter()

        @router.post(ACTION, summary="Allow or deny an authorization", include_in_schema=False)
        async def consent(request: Request) -> Response:
            form = await form_parameters(request)
            submission = self.consent_form.read(request, form)
            decide = (
                self.decide_consent.allow if submission.is_allowed else self.decide_consent.deny
            )
            try:
                outcome = await decide(submission.authorization_id, submission.browser_digest)
            except AuthorizationFailed as failure:
                return self.client_redirect.with_error(
                    failure.request.redirect_uri, failure.request.state, failure.error
                )
            if isinstance(outcome, AtPingOne):
                return redirect(outcome.url)
            return self.client_redirect.with_code(outcome)

        return router
