"""`grant_type=refresh_token`: a refresh handle is spent and replaced (OAuth 2.1 4.3)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from auth_server.domain.clients import Client, GrantType
from auth_server.domain.errors import (
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
)
from auth_server.domain.grants import Grant, RevocationReason
from auth_server.domain.handles import REFRESH_PREFIX, Digest, IssuedHandles, digest, is_well_formed
from auth_server.domain.resources import is_same_resource
from auth_server.domain.scopes import Scopes, parse_scope
from auth_server.flows.issue_handles import IssueHandles
from auth_server.flows.revoke_grant import EndedGrant, RevokeGrant
from auth_server.storage.database import Database

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
    """Spends the handle by one statement; a second use of it means theft and ends the grant."""

    database: Database
    issue_handles: IssueHandles
    revoke_grant: RevokeGrant
    now: Callable[[], datetime]

    async def __call__(self, client: Client, refresh: HandleRefresh) -> IssuedHandles:
        """Return fresh handles; raise InvalidGrant, InvalidScope, InvalidTarget.

        What is wrong with the request alone is refused before the handle is spent.
        """
        if GrantType.REFRESH_TOKEN not in client.metadata.grant_types:
            raise UnauthorizedClient("the client did not register for this grant type")
        if not is_well_formed(refresh.raw_handle, REFRESH_PREFIX):
            raise InvalidGrant(_REFUSED)
        refresh_digest = digest(refresh.raw_handle)
        async with self.database.reading() as read:
            found = await read.handles.find_refresh(refresh_digest)
        if found is None or found[1].client_id != client.client_id:
            raise InvalidGrant(_REFUSED)
        grant = found[1]
        scopes = _narrowed(refresh, grant)
        issued, ended = await self._rotate(client, grant, refresh_digest, scopes)
        self.revoke_grant.committed(ended)
        if issued is None:
            raise InvalidGrant(_REFUSED)
        return issued

    async def _rotate(
        self, client: Client, grant: Grant, refresh_digest: Digest, scopes: Scopes
    ) -> tuple[IssuedHandles | None, EndedGrant | None]:
        async with self.database.transaction() as tx:
            spent = await tx.handles.rotate(refresh_digest, client.client_id, now=self.now())
            if spent is not None:
                return await self.issue_handles(tx, client, grant, scopes), None
            found = await tx.handles.find_refresh(refresh_digest)
            if found is None or found[0].rotated_at is None:
                return None, None
            # RFC 9700 4.14.2: a spent refresh handle that comes back was stolen, before or after.
            _log.warning("refresh.reused", grant_id=grant.id, client_id=client.client_id)
            return None, await self.revoke_grant.within(
                tx, grant.id, RevocationReason.REFRESH_REUSE
            )


def _narrowed(refresh: HandleRefresh, grant: Grant) -> Scopes:
    if not all(is_same_resource(value, grant.resource) for value in refresh.resources):
        raise InvalidTarget("resource is not the one of the grant")
    if refresh.scope is None:
        return grant.scopes
    scopes = parse_scope(refresh.scope)
    if not scopes <= grant.scopes:
        raise InvalidScope("a requested scope was not granted")
    return scopes
