"""Completes an authorization: the grant, its PingOne tokens and the code, in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from auth_server.domain.audit import AuditAction, AuditActor, of_grant
from auth_server.domain.authorizations import (
    AlreadyDecided,
    AuthorizationRequest,
    ClientAnswer,
    ConsentDecision,
    PendingAuthorization,
    UpstreamAccount,
)
from auth_server.domain.consent import RememberedConsent
from auth_server.domain.grants import AuthorizationCode, Grant, RevocationReason
from auth_server.domain.handles import digest, new_secret
from auth_server.domain.lifetimes import Lifetimes
from auth_server.domain.resources import ProtectedResources
from auth_server.flows.client_answers import Returned
from auth_server.flows.revoke_grant import EndedGrant, RevokeGrant
from auth_server.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class CodeIssued:
    """The raw code, on its way to the client and stored as a digest.

    `superseded` are the grants whose place the new one took: nobody had redeemed their codes.
    """

    request: AuthorizationRequest
    code: str = field(repr=False)
    superseded: tuple[EndedGrant, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssueCode:
    """Turns a decided authorization and a person into a grant.

    Anybody's website can have a browser come this far, for a client whose consent is remembered.
    So the grant ends nothing that is in use, and counts once its code is redeemed: it only takes
    the place of those before it that nobody has redeemed either.
    """

    resources: ProtectedResources
    lifetimes: Lifetimes
    revoke_grant: RevokeGrant
    now: Callable[[], datetime]

    async def __call__(
        self, tx: Transaction, pending: PendingAuthorization, account: UpstreamAccount
    ) -> CodeIssued:
        """Store grant, tokens, code and the consent that led here.

        Call committed() with the result when the transaction is. Raises InvalidTarget if the
        resource is not configured any more.
        """
        now, request = self.now(), pending.request
        resource = self.resources.select([request.resource])
        scopes = resource.granted(request.scopes, account.tokens.scope)
        grant = Grant(
            id=str(uuid4()),
            client_id=request.client_id,
            subject=account.subject,
            resource=request.resource,
            scopes=scopes,
            created_at=now,
            expires_at=now + self.lifetimes.grant,
            last_used_at=now,
            browser_digest=pending.browser_digest,
        )
        code = new_secret()
        superseded = await self._supersede(tx, grant)
        await tx.grants.insert(grant)
        await tx.upstream_tokens.insert(grant.id, account.tokens)
        await tx.codes.insert(
            digest(code),
            AuthorizationCode(
                grant_id=grant.id,
                client_id=request.client_id,
                redirect_uri=request.redirect_uri,
                code_challenge=request.code_challenge,
                scopes=scopes,
                expires_at=now + self.lifetimes.code,
            ),
        )
        await tx.consents.remember(
            RememberedConsent(
                key=pending.consent_key,
                subject=account.subject.subject,
                scopes=request.scopes,
                expires_at=now + self.lifetimes.consent,
            )
        )
        await tx.audit_events.append(
            of_grant(AuditAction.GRANT_CREATED, grant, AuditActor.PERSON), now=now
        )
        return CodeIssued(request, code, superseded)

    async def once(
        self,
        tx: Transaction,
        pending: PendingAuthorization,
        account: UpstreamAccount,
        returned: Returned,
    ) -> CodeIssued:
        """As above, for the first sign-on of a form; keep the answer for who repeats the request.

        Raises AlreadyDecided, for which the transaction must be rolled back.
        """
        now = self.now()
        earlier = await tx.consent_decisions.decide(
            pending.form_id,
            ConsentDecision.ALLOWED,
            expires_at=now + self.lifetimes.consent_form + self.lifetimes.late,
        )
        if earlier is not None:
            raise AlreadyDecided(earlier)
        issued = await self(tx, pending, account)
        sealed = returned.seal(pending, ClientAnswer(code=issued.code))
        if not await tx.authorizations.end(pending, sealed_answer=sealed, now=now):
            raise AlreadyDecided(None)
        return issued

    def committed(self, issued: CodeIssued) -> None:
        """Finish the end of the grants whose place the new one took."""
        for ended in issued.superseded:
            self.revoke_grant.committed(ended)

    async def _supersede(self, tx: Transaction, grant: Grant) -> tuple[EndedGrant, ...]:
        subject, client_id = grant.subject.subject, grant.client_id
        await tx.grants.hold(subject, client_id)
        # A client that signs in to two resources keeps both.
        older = await tx.grants.unredeemed(subject, client_id, resource=grant.resource)
        return await self.revoke_grant.all_within(tx, older, RevocationReason.SUPERSEDED)
