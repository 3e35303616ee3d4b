"""Completes an authorization: the grant, its PingOne tokens and the code, in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from auth_server.domain.authorizations import (
    AuthorizationRequest,
    PendingAuthorization,
    UpstreamAccount,
)
from auth_server.domain.consent import RememberedConsent
from auth_server.domain.grants import AuthorizationCode, Grant
from auth_server.domain.handles import digest, new_secret
from auth_server.domain.lifetimes import Lifetimes
from auth_server.domain.scopes import granted_scopes
from auth_server.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class CodeIssued:
    """The raw code, on its way to the client and stored as a digest."""

    request: AuthorizationRequest
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssueCode:
    """Turns a decided authorization and a person into a grant."""

    lifetimes: Lifetimes
    now: Callable[[], datetime]

    async def __call__(
        self, tx: Transaction, pending: PendingAuthorization, account: UpstreamAccount
    ) -> CodeIssued:
        """Store grant, tokens, code and the consent that led here; renew the client."""
        now, request = self.now(), pending.request
        scopes = granted_scopes(request.scopes, account.tokens.scope)
        grant = Grant(
            id=str(uuid4()),
            client_id=request.client_id,
            subject=account.subject,
            resource=request.resource,
            scopes=scopes,
            created_at=now,
            expires_at=now + self.lifetimes.grant,
            last_used_at=now,
        )
        code = new_secret()
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
        await tx.clients.renew(
            request.client_id, now=now, expires_at=now + self.lifetimes.used_client
        )
        return CodeIssued(request, code)
