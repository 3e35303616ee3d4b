"""The person's decision on a consent page: the first, before PingOne, or the second, after it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NoReturn

import structlog

from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent, AuditOutcome
from auth_server.domain.authorizations import AuthorizationFailed, PendingAuthorization
from auth_server.domain.errors import (
    AccessDenied,
    CannotRedirect,
    InvalidTarget,
    TemporarilyUnavailable,
)
from auth_server.domain.handles import Digest
from auth_server.domain.lifetimes import Lifetimes
from auth_server.flows.go_to_pingone import GoToPingOne, new_login
from auth_server.flows.issue_code import CodeIssued, IssueCode
from auth_server.flows.revoke_upstream import RevokeUpstream
from auth_server.flows.start_authorization import AtPingOne
from auth_server.storage.database import Database, Transaction

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DecideConsent:
    """Spends the awaited decision by one statement: a second click gets nothing."""

    database: Database
    go_to_pingone: GoToPingOne
    issue_code: IssueCode
    revoke_upstream: RevokeUpstream
    lifetimes: Lifetimes
    now: Callable[[], datetime]

    async def allow(self, authorization_id: str, browser_digest: Digest) -> AtPingOne | CodeIssued:
        """Go on to PingOne, or after a second consent to the client.

        Raises CannotRedirect when nothing awaits a decision of this browser, AuthorizationFailed
        when PingOne cannot be reached or the resource is not configured any more.
        """
        now, new = self.now(), new_login()
        async with self.database.transaction() as tx:
            approved = await tx.authorizations.approve(
                authorization_id,
                browser_digest,
                new.login,
                upstream_expires_at=now + self.lifetimes.authorization,
                now=now,
            )
            if approved is not None:
                await tx.audit_events.append(_allowed(approved), now=now)
            decided = approved or await self._confirm(tx, authorization_id, browser_digest)
        if isinstance(decided, CodeIssued):
            self.issue_code.committed(decided)
            return decided
        try:
            return AtPingOne(await self.go_to_pingone(decided.request, new))
        except (TemporarilyUnavailable, InvalidTarget) as error:
            raise AuthorizationFailed(decided.request, error) from error

    async def _confirm(
        self, tx: Transaction, authorization_id: str, browser_digest: Digest
    ) -> CodeIssued:
        confirmed = await tx.authorizations.take_awaiting_account_consent(
            authorization_id, browser_digest, now=self.now()
        )
        if confirmed is None or confirmed.account is None:
            raise _nothing_to_decide()
        await tx.audit_events.append(_allowed(confirmed), now=self.now())
        try:
            return await self.issue_code(tx, confirmed, confirmed.account)
        except InvalidTarget as error:
            raise AuthorizationFailed(confirmed.request, error) from error

    async def deny(self, authorization_id: str, browser_digest: Digest) -> NoReturn:
        """End the authorization; tokens that a second consent held back are revoked at PingOne.

        Always raises: AuthorizationFailed with access_denied, or CannotRedirect.
        """
        async with self.database.transaction() as tx:
            denied = await tx.authorizations.take_undecided(
                authorization_id, browser_digest, now=self.now()
            )
            if denied is not None and denied.account is not None:
                await self.revoke_upstream.within(tx, denied.account.tokens)
            if denied is not None:
                await tx.audit_events.append(_denied(denied), now=self.now())
        if denied is None:
            raise _nothing_to_decide()
        self.revoke_upstream.committed()
        _log.info("consent.denied", client_id=denied.request.client_id)
        raise AuthorizationFailed(
            denied.request, AccessDenied("the person did not allow the access")
        )


def _allowed(decided: PendingAuthorization) -> AuditEvent:
    return AuditEvent(
        AuditAction.CONSENT_ALLOWED,
        AuditActor.PERSON,
        # Before the sign-on nobody knows who decides.
        subject=None if decided.account is None else decided.account.subject.subject,
        client_id=decided.request.client_id,
    )


def _denied(decided: PendingAuthorization) -> AuditEvent:
    return replace(
        _allowed(decided), event=AuditAction.CONSENT_DENIED, outcome=AuditOutcome.REFUSED
    )


def _nothing_to_decide() -> CannotRedirect:
    return CannotRedirect(
        "This request is no longer open",
        "It was decided already, has expired, or was started in another browser.",
        "Go back to your application and connect again.",
        detail="no authorization of this browser awaits a decision",
    )
