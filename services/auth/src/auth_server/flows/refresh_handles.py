"""`grant_type=refresh_token`: a refresh handle is spent and replaced (OAuth 2.1 4.3).

A second use is either a retry, by a client that lost the answer or asked twice at once, or theft.
Within a grace after the first use it gets the first one's answer: the same handles, so that there
is one lineage. After the grace it ends the grant.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from auth_server.domain.audit import AuditAction, of_grant
from auth_server.domain.clients import Client, GrantType
from auth_server.domain.errors import (
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
)
from auth_server.domain.grants import Grant, RevocationReason
from auth_server.domain.handles import (
    REFRESH_PREFIX,
    IssuedHandles,
    NewHandles,
    RawHandle,
    RefreshHandle,
    digest,
    is_well_formed,
)
from auth_server.domain.resources import is_same_resource
from auth_server.domain.scopes import Scopes, parse_scope
from auth_server.flows.issue_handles import IssueHandles
from auth_server.flows.revoke_grant import EndedGrant, RevokeGrant
from auth_server.storage.database import Database, Transaction
from auth_server.storage.encryption import DecryptionFailed
from auth_server.storage.sealed_answers import open_answer, seal_answer

_log = structlog.get_logger(__name__)

_REFUSED = "the refresh token is unknown, expired, revoked or already used"


@dataclass(frozen=True, slots=True)
class HandleRefresh:
    """What the client presents."""

    raw_handle: str = field(repr=False)
    scope: str | None
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RefreshHandles:
    """Spends the handle by one statement, which also leaves the answer for a retry."""

    database: Database
    issue_handles: IssueHandles
    revoke_grant: RevokeGrant
    grace: timedelta
    limit_rate: Callable[[str], Awaitable[None]]
    now: Callable[[], datetime]

    async def __call__(self, client: Client, refresh: HandleRefresh) -> IssuedHandles:
        """Return fresh handles, or within the grace those of the first use.

        Raises InvalidGrant, InvalidScope, InvalidTarget, and what `limit_rate` raises. What is
        wrong with the request alone is refused before the handle is spent; the end of a grant is
        committed before the refusal.
        """
        if GrantType.REFRESH_TOKEN not in client.metadata.grant_types:
            raise UnauthorizedClient("the client did not register for this grant type")
        if not is_well_formed(refresh.raw_handle, REFRESH_PREFIX):
            raise InvalidGrant(_REFUSED)
        raw_handle = RawHandle(refresh.raw_handle)
        async with self.database.reading() as read:
            found = await read.handles.find_refresh(digest(raw_handle))
        if found is None or found[1].client_id != client.client_id:
            raise InvalidGrant(_REFUSED)
        # Reuse is noticed first: whatever else is wrong with such a request must not hide it.
        is_reuse = found[0].is_reuse(self.grace, self.now())
        if is_reuse:
            scopes = found[1].scopes
        else:
            # Before anything is spent: whoever is refused here can send the same request again.
            await self.limit_rate(found[1].id)
            scopes = _narrowed(refresh, found[1])
        async with self.database.transaction() as tx:
            outcome: IssuedHandles | EndedGrant | None
            outcome = await self._first_use(tx, client, found[1], raw_handle, scopes)
            if outcome is None:
                outcome = await self._second_use(tx, raw_handle, scopes)
        if isinstance(outcome, IssuedHandles):
            return outcome
        self.revoke_grant.committed(outcome)
        raise InvalidGrant(_REFUSED)

    async def _first_use(
        self, tx: Transaction, client: Client, grant: Grant, raw_handle: RawHandle, scopes: Scopes
    ) -> IssuedHandles | None:
        now = self.now()
        # Made first: the statement that spends the handle stores the answer, too.
        new = self.issue_handles.make(client, grant, scopes, now)
        is_first = await tx.handles.rotate(
            digest(raw_handle),
            client.client_id,
            sealed_answer=seal_answer(raw_handle, new) if self.grace else None,
            now=now,
        )
        if not is_first:
            return None
        await self.issue_handles.store(tx, grant, new, now)
        await tx.audit_events.append(of_grant(AuditAction.HANDLES_REFRESHED, grant), now=now)
        return new.issued(now)

    async def _second_use(
        self, tx: Transaction, raw_handle: RawHandle, scopes: Scopes
    ) -> IssuedHandles | EndedGrant | None:
        """What became of it: on PostgreSQL our UPDATE has waited for the first use's commit."""
        now = self.now()
        found = await tx.handles.find_refresh(digest(raw_handle))
        if found is None or found[0].rotated_at is None or not found[1].is_active(now):
            return None
        handle, grant = found
        if handle.is_reuse(self.grace, now):
            # RFC 9700 4.14.2: a spent refresh handle that comes back was stolen, before or after.
            _log.warning("refresh.reused", grant_id=grant.id, client_id=grant.client_id)
            return await self.revoke_grant.within(tx, grant.id, RevocationReason.REFRESH_REUSE)
        first = _first_answer(raw_handle, handle)
        if first is None:
            return None
        if not await _is_latest(tx, first):
            # Somebody has gone on with the answer: a thief or the same client, which only the end
            # of the grace will tell.
            _log.warning("refresh.late", grant_id=grant.id, client_id=grant.client_id)
            return None
        if not first.scopes <= scopes:
            # Nobody gets more than they ask for; fresh handles would be a second lineage.
            raise InvalidScope("the refresh token was already used, for a broader scope")
        _log.info("refresh.replayed", grant_id=grant.id, client_id=grant.client_id)
        await tx.audit_events.append(of_grant(AuditAction.REFRESH_REPLAYED, grant), now=now)
        return first.issued(now)


def _first_answer(raw_handle: RawHandle, handle: RefreshHandle) -> NewHandles | None:
    if handle.sealed_answer is None:
        # Erased by a replica whose clock is ahead, or rotated by one that had no grace yet.
        return None
    try:
        return open_answer(raw_handle, handle.sealed_answer)
    except DecryptionFailed as error:
        _log.error("refresh.answer_unreadable", grant_id=handle.grant_id, reason=str(error))
        return None


async def _is_latest(tx: Transaction, answer: NewHandles) -> bool:
    if answer.refresh is None:
        return True
    found = await tx.handles.find_refresh(digest(answer.refresh))
    return found is not None and found[0].rotated_at is None


def _narrowed(refresh: HandleRefresh, grant: Grant) -> Scopes:
    if not all(is_same_resource(value, grant.resource) for value in refresh.resources):
        raise InvalidTarget("resource is not the one of the grant")
    if refresh.scope is None:
        return grant.scopes
    scopes = parse_scope(refresh.scope)
    if not scopes <= grant.scopes:
        raise InvalidScope("a requested scope was not granted")
    return scopes
