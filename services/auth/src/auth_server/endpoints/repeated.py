"""What a browser gets that repeats a step: the same answer, or a page that says how it ended."""

from dataclasses import dataclass

from fastapi.responses import Response

from auth_server.domain.authorizations import AlreadyDecided, ConsentDecision
from auth_server.endpoints.account_consent_form import AccountConsentForm
from auth_server.endpoints.responses import ClientRedirect
from auth_server.flows.authenticate_client import ResolveClientId
from auth_server.flows.client_answers import AnsweredClient, Returned
from auth_server.flows.finish_login import AccountConsentNeeded
from auth_server.flows.repeat_answer import RepeatAnswer
from auth_server.pages.outcome import Outcome
from auth_server.pages.rendering import Pages


@dataclass(frozen=True, slots=True)
class Repeated:
    """Renders what RepeatAnswer finds."""

    repeat_answer: RepeatAnswer
    resolve_client: ResolveClientId
    account_form: AccountConsentForm
    client_redirect: ClientRedirect
    pages: Pages

    async def __call__(self, returned: Returned, *, is_denial: bool = False) -> Response | None:
        """The answer; None for a state that is unknown or another browser's. Raises as the flow.

        A denial that comes too late sends no code: it is told that the app is connected.
        """
        found = await self.repeat_answer(returned)
        if found is None:
            return None
        if is_denial and isinstance(found, AnsweredClient) and found.answer.code is not None:
            raise AlreadyDecided(ConsentDecision.ALLOWED)
        if isinstance(found, AnsweredClient):
            return self.client_redirect.answered(found)
        if isinstance(found, AccountConsentNeeded):
            return await self.ask(found, returned)
        return self.pages.outcome(Outcome.STILL_FINISHING)

    async def ask(self, needed: AccountConsentNeeded, returned: Returned) -> Response:
        """The page of the second consent."""
        client = await self.resolve_client(needed.pending.request.client_id)
        return self.account_form.ask(needed.pending, client, returned.state)
