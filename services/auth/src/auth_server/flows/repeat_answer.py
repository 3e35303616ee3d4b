"""A browser repeats what it has done already: it gets the same answer, for a minute.

Browsers fetch in advance, reload, and send a form twice; the person sees the last answer only.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from auth_server.domain.authorizations import (
    AlreadyDecided,
    AuthorizationFailed,
    AuthorizationStep,
    ConsentDecision,
    PendingAuthorization,
)
from auth_server.domain.errors import AccessDenied, OAuthError, ServerError
from auth_server.domain.handles import digest
from auth_server.domain.lifetimes import Lifetimes
from auth_server.flows.client_answers import AnsweredClient, Returned, error_answer
from auth_server.flows.finish_login import AccountConsentNeeded
from auth_server.flows.revoke_upstream import RevokeUpstream
from auth_server.storage.database import Database

# How long a repetition waits for the first request, which is still at PingOne.
WAIT_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class StillFinishing:
    """The first request is still at PingOne: look again later."""


@dataclass(frozen=True, slots=True)
class RepeatAnswer:
    """Looks up what became of a sign-on, and ends one that nobody will finish."""

    database: Database
    revoke_upstream: RevokeUpstream
    lifetimes: Lifetimes
    # Nobody looks at PingOne's answer for longer than this: whoever did has been killed.
    longest_finish: timedelta
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]

    async def __call__(
        self, returned: Returned
    ) -> AnsweredClient | AccountConsentNeeded | StillFinishing | None:
        """Return the same answer once more; None for a state that is unknown or another browser's.

        Raises AuthorizationFailed for what came too late and what a dead process left behind, and
        AlreadyDecided when there is nothing more to tell the client.
        """
        waited = 0.0
        while (pending := await self._find(returned)) is not None:
            if pending.step is not AuthorizationStep.FINISHING or self._is_dead(pending):
                return await self._answer(pending, returned)
            if waited >= WAIT_SECONDS:
                return StillFinishing()
            await self.sleep(LOOK_SECONDS)
            waited += LOOK_SECONDS
        return None

    async def _find(self, returned: Returned) -> PendingAuthorization | None:
        async with self.database.reading() as read:
            return await read.authorizations.find(returned.state_digest, returned.started)

    def _is_dead(self, pending: PendingAuthorization) -> bool:
        """Whether the process that looked at PingOne's answer must have been killed."""
        finish = pending.finish
        return finish is not None and self.now() >= finish.spent_at + self.longest_finish

    async def _answer(
        self, pending: PendingAuthorization, returned: Returned
    ) -> AnsweredClient | AccountConsentNeeded:
        if pending.step is AuthorizationStep.ENDED:
            return await self._same_again(pending, returned)
        if pending.step is AuthorizationStep.FINISHING:
            raise await self._ended(pending, returned, ServerError("the sign-on was interrupted"))
        if pending.account is not None and self.now() < pending.expires_at:
            return AccountConsentNeeded(pending)
        # Nobody gets another answer for it: PingOne or the person took too long.
        raise await self._ended(pending, returned, AccessDenied("the sign-on took too long"))

    async def _ended(
        self, pending: PendingAuthorization, returned: Returned, error: OAuthError
    ) -> AuthorizationFailed | AlreadyDecided:
        sealed = returned.seal(pending, error_answer(error))
        async with self.database.transaction() as tx:
            if not await tx.authorizations.end(pending, sealed_answer=sealed, now=self.now()):
                return AlreadyDecided(None)
            if pending.account is not None:
                await self.revoke_upstream.within(tx, pending.account.tokens)
        self.revoke_upstream.committed()
        return AuthorizationFailed(pending.request, error)

    async def _same_again(
        self, pending: PendingAuthorization, returned: Returned
    ) -> AnsweredClient:
        finish = pending.finish
        if (
            finish is None
            or finish.ended_at is None
            or finish.sealed_answer is None
            or self.now() >= finish.ended_at + self.lifetimes.repeated_answer
        ):
            async with self.database.reading() as read:
                raise AlreadyDecided(await read.consent_decisions.find(pending.form_id))
        answer = returned.unseal(pending, finish.sealed_answer)
        if answer.code is not None:
            async with self.database.reading() as read:
                # A repeated code ends the grant (RFC 6749 4.1.2).
                if not await read.codes.is_open(digest(answer.code), now=self.now()):
                    raise AlreadyDecided(ConsentDecision.ALLOWED)
        return AnsweredClient(pending.request, answer)
