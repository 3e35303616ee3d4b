"""The person's decision on the consent page, before PingOne."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

import structlog

from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent, AuditOutcome
from auth_server.domain.authorizations import (
    AlreadyDecided,
    AuthorizationFailed,
    AuthorizationRequest,
    ConsentDecision,
)
from auth_server.domain.errors import AccessDenied, InvalidTarget, TemporarilyUnavailable
from auth_server.domain.handles import Digest
from auth_server.domain.lifetimes import Lifetimes
from auth_server.flows.begin_sign_on import BeginSignOn
from auth_server.flows.go_to_pingone import AtPingOne
from auth_server.storage.database import Database

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DecideConsent:
    """One form is one consent: it may be allowed again until it has led to a code, or was denied.

    Who repeats Allow (a double click, the Back button) starts again with a fresh state; the sign-on
    that finishes first decides.
    """

    database: Database
    begin_sign_on: BeginSignOn
    lifetimes: Lifetimes
    now: Callable[[], datetime]

    async def allow(
        self, form_id: str, request: AuthorizationRequest, browser: Digest
    ) -> AtPingOne:
        """Go on to PingOne.

        Raises AlreadyDecided, or AuthorizationFailed when PingOne cannot be reached or the resource
        is not configured any more.
        """
        try:
            prepared = await self.begin_sign_on.prepare(
                request, browser, form_id=form_id, consent_is_remembered=False
            )
        except (TemporarilyUnavailable, InvalidTarget) as error:
            raise AuthorizationFailed(request, error) from error
        async with self.database.transaction() as tx:
            # Who denies it from now on stops this sign-on at its end.
            if (decision := await tx.consent_decisions.find(form_id)) is not None:
                raise AlreadyDecided(decision)
            await prepared.store(tx)
            allowed = AuditEvent(
                # Before the sign-on nobody knows who decides.
                AuditAction.CONSENT_ALLOWED,
                AuditActor.PERSON,
                client_id=request.client_id,
            )
            await tx.audit_events.append(allowed, now=self.now())
        return prepared.at_pingone

    async def too_late(self, form_id: str, request: AuthorizationRequest) -> NoReturn:
        """Refuse an Allow on a page that was open for too long; it decides nothing.

        Always raises: AlreadyDecided, or AuthorizationFailed with access_denied.
        """
        async with self.database.reading() as read:
            decision = await read.consent_decisions.find(form_id)
        if decision is not None:
            raise AlreadyDecided(decision)
        raise AuthorizationFailed(request, AccessDenied("the page was open for too long"))

    async def deny(self, form_id: str, request: AuthorizationRequest) -> NoReturn:
        """Decide against it; a sign-on that is under way comes to nothing.

        Always raises: AuthorizationFailed with access_denied, the same again for a repetition, or
        AlreadyDecided if the form has led to a code.
        """
        now = self.now()
        async with self.database.transaction() as tx:
            earlier = await tx.consent_decisions.decide(
                form_id,
                ConsentDecision.DENIED,
                expires_at=now + self.lifetimes.consent_form + self.lifetimes.late,
            )
            if earlier is None:
                denied = AuditEvent(
                    AuditAction.CONSENT_DENIED,
                    AuditActor.PERSON,
                    outcome=AuditOutcome.REFUSED,
                    client_id=request.client_id,
                )
                await tx.audit_events.append(denied, now=now)
        if earlier is ConsentDecision.ALLOWED:
            raise AlreadyDecided(earlier)
        _log.info("consent.denied", client_id=request.client_id)
        raise AuthorizationFailed(request, AccessDenied("the person did not allow the access"))
