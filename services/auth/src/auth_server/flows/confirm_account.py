"""The second consent: another account came back from PingOne than the one remembered."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent, AuditOutcome
from auth_server.domain.authorizations import (
    AlreadyDecided,
    AuthorizationFailed,
    AuthorizationStep,
    ClientAnswer,
    ConsentDecision,
    PendingAuthorization,
    UpstreamAccount,
)
from auth_server.domain.errors import AccessDenied, InvalidTarget
from auth_server.domain.lifetimes import Lifetimes
from auth_server.flows.client_answers import AnsweredClient, Returned, error_answer
from auth_server.flows.issue_code import CodeIssued, IssueCode
from auth_server.flows.revoke_upstream import RevokeUpstream
from auth_server.storage.database import Database, Transaction

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ConfirmAccount:
    """Takes the account that waits, by one statement; PingOne's tokens go on or are revoked."""

    database: Database
    issue_code: IssueCode
    revoke_upstream: RevokeUpstream
    lifetimes: Lifetimes
    now: Callable[[], datetime]

    async def allow(self, returned: Returned) -> AnsweredClient | None:
        """Issue the code; None if nothing awaits a decision of this browser (any more).

        Raises AuthorizationFailed if the resource is not configured any more, AlreadyDecided if
        another sign-on of the same form was faster.
        """
        issued = None
        async with self.database.transaction() as tx:
            taken = await self._take(tx, returned, ConsentDecision.ALLOWED)
            if taken is not None and taken.earlier is None:
                issued = await self._issue(tx, taken, returned)
        if taken is None:
            return None
        if issued is None:
            raise self._second(taken)
        self.issue_code.committed(issued)
        return AnsweredClient(taken.pending.request, ClientAnswer(code=issued.code))

    async def deny(self, returned: Returned) -> AnsweredClient | None:
        """Refuse the account; None if nothing awaits a decision of this browser (any more)."""
        answer = error_answer(AccessDenied("the person did not allow the access"))
        async with self.database.transaction() as tx:
            taken = await self._take(tx, returned, ConsentDecision.DENIED)
            if taken is not None and taken.earlier is None:
                await self.revoke_upstream.within(tx, taken.account.tokens)
                await tx.authorizations.keep_answer(
                    taken.pending.id, returned.seal(taken.pending, answer)
                )
                await tx.audit_events.append(_denied(taken), now=self.now())
        if taken is None:
            return None
        if taken.earlier is not None:
            raise self._second(taken)
        self.revoke_upstream.committed()
        _log.info("consent.denied", client_id=taken.pending.request.client_id)
        return AnsweredClient(taken.pending.request, answer)

    async def _take(
        self, tx: Transaction, returned: Returned, decision: ConsentDecision
    ) -> "_Taken | None":
        """Take the account that waits; its tokens are revoked if the form was decided before."""
        waiting = await tx.authorizations.find(returned.state_digest, returned.started)
        if waiting is None or waiting.step is not AuthorizationStep.AWAITING_ACCOUNT_CONSENT:
            return None
        account = await tx.authorizations.take_account(waiting, now=self.now())
        if account is None:
            return None
        expires_at = self.now() + self.lifetimes.consent_form + self.lifetimes.late
        earlier = await tx.consent_decisions.decide(
            waiting.form_id, decision, expires_at=expires_at
        )
        if earlier is not None:
            await self.revoke_upstream.within(tx, account.tokens)
        return _Taken(waiting, account, earlier)

    async def _issue(self, tx: Transaction, taken: "_Taken", returned: Returned) -> CodeIssued:
        pending = taken.pending
        await tx.audit_events.append(_allowed(taken), now=self.now())
        try:
            issued = await self.issue_code(tx, pending, taken.account)
        except InvalidTarget as error:
            raise AuthorizationFailed(pending.request, error) from error
        sealed = returned.seal(pending, ClientAnswer(code=issued.code))
        await tx.authorizations.keep_answer(pending.id, sealed)
        return issued

    def _second(self, taken: "_Taken") -> AlreadyDecided:
        self.revoke_upstream.committed()
        return AlreadyDecided(taken.earlier)


@dataclass(frozen=True, slots=True)
class _Taken:
    pending: PendingAuthorization
    account: UpstreamAccount
    # What another sign-on of the same form has decided.
    earlier: ConsentDecision | None


def _allowed(taken: _Taken) -> AuditEvent:
    return AuditEvent(
        AuditAction.CONSENT_ALLOWED,
        AuditActor.PERSON,
        subject=taken.account.subject.subject,
        client_id=taken.pending.request.client_id,
    )


def _denied(taken: _Taken) -> AuditEvent:
    return replace(_allowed(taken), event=AuditAction.CONSENT_DENIED, outcome=AuditOutcome.REFUSED)
