"""`grant_type=authorization_code`: a code becomes handles, once (OAuth 2.1 4.1.3)."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from auth_server.domain.audit import AuditAction, of_grant
from auth_server.domain.clients import Client, GrantType
from auth_server.domain.errors import InvalidGrant, InvalidTarget, OAuthError, UnauthorizedClient
from auth_server.domain.grants import AuthorizationCode, Grant, RevocationReason
from auth_server.domain.handles import Digest, IssuedHandles, digest
from auth_server.domain.resources import is_same_resource
from auth_server.flows.issue_handles import IssueHandles
from auth_server.flows.make_room import MakeRoom
from auth_server.flows.revoke_grant import EndedGrant, RevokeGrant
from auth_server.storage.database import Database, Transaction

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CodeExchange:
    """What the client presents. The verifier's syntax has been checked."""

    code: str = field(repr=False)
    code_verifier: str = field(repr=False)
    redirect_uri: str | None
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Outcome:
    issued: IssuedHandles | None = None
    refusal: OAuthError | None = None
    ended: tuple[EndedGrant | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ExchangeCode:
    """Spends the code first and checks then: a code can be tried once, rightly or wrongly."""

    database: Database
    make_room: MakeRoom
    issue_handles: IssueHandles
    revoke_grant: RevokeGrant
    now: Callable[[], datetime]

    async def __call__(self, client: Client, exchange: CodeExchange) -> IssuedHandles:
        """Return fresh handles; raise InvalidGrant, InvalidTarget or UnauthorizedClient.

        A replay, and a code presented with the wrong proof, end the grant (RFC 6749 4.1.2). That is
        committed before the refusal is raised.
        """
        if GrantType.AUTHORIZATION_CODE not in client.metadata.grant_types:
            raise UnauthorizedClient("the client did not register for this grant type")
        async with self.database.transaction() as tx:
            outcome = await self._redeem(tx, client, exchange)
        for ended in outcome.ended:
            self.revoke_grant.committed(ended)
        if outcome.issued is None:
            raise outcome.refusal or InvalidGrant("the code is unknown, expired or already used")
        return outcome.issued

    async def _redeem(self, tx: Transaction, client: Client, exchange: CodeExchange) -> _Outcome:
        code_digest = digest(exchange.code)
        code = await tx.codes.redeem(code_digest, client.client_id, now=self.now())
        if code is None:
            return _Outcome(ended=(await self._end_if_replayed(tx, code_digest, client),))
        grant = await tx.grants.find(code.grant_id)
        refusal = _check(exchange, code, grant, self.now())
        if refusal is not None or grant is None:
            ended = await self.revoke_grant.within(
                tx, code.grant_id, RevocationReason.CODE_MISMATCH
            )
            return _Outcome(refusal=refusal, ended=(ended,))
        superseded = await self.make_room(tx, client, grant)
        if superseded is None:
            return _Outcome(refusal=_revoked())
        issued = await self.issue_handles(tx, client, grant, code.scopes)
        await tx.audit_events.append(of_grant(AuditAction.HANDLES_ISSUED, grant), now=self.now())
        return _Outcome(issued, ended=superseded)

    async def _end_if_replayed(
        self, tx: Transaction, code_digest: Digest, client: Client
    ) -> EndedGrant | None:
        grant_id = await tx.codes.grant_of_redeemed(code_digest, client.client_id)
        if grant_id is None:
            return None
        _log.warning("code.replayed", grant_id=grant_id, client_id=client.client_id)
        return await self.revoke_grant.within(tx, grant_id, RevocationReason.CODE_REPLAY)


def _revoked() -> InvalidGrant:
    return InvalidGrant("the authorization has been revoked")


def _check(
    exchange: CodeExchange, code: AuthorizationCode, grant: Grant | None, now: datetime
) -> OAuthError | None:
    if grant is None or not grant.is_active(now):
        return _revoked()
    # OAuth 2.1 10.2: PKCE made redirect_uri redundant here, so it may be absent; if it is there, it
    # must be the authorized one.
    if exchange.redirect_uri is not None and exchange.redirect_uri != code.redirect_uri:
        return InvalidGrant("redirect_uri is not the one of the authorization request")
    presented = create_s256_code_challenge(exchange.code_verifier)
    if not hmac.compare_digest(presented, code.code_challenge):
        return InvalidGrant("code_verifier does not match the code_challenge")
    if not all(is_same_resource(value, grant.resource) for value in exchange.resources):
        return InvalidTarget("resource is not the one of the authorization request")
    return None
