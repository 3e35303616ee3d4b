"""Issues an access handle and, if the client uses them, a refresh handle; stores their digests."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from auth_server.domain.clients import Client, GrantType
from auth_server.domain.grants import Grant
from auth_server.domain.handles import (
    ACCESS_PREFIX,
    REFRESH_PREFIX,
    Handle,
    IssuedHandles,
    RawHandle,
    RefreshHandle,
    digest,
    new_handle,
)
from auth_server.domain.lifetimes import Lifetimes
from auth_server.domain.scopes import Scopes
from auth_server.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class IssueHandles:
    """The only place where handles are made."""

    lifetimes: Lifetimes
    now: Callable[[], datetime]

    async def __call__(
        self, tx: Transaction, client: Client, grant: Grant, scopes: Scopes
    ) -> IssuedHandles:
        """Issue for these scopes; no handle outlives its grant."""
        now = self.now()
        access = new_handle(ACCESS_PREFIX)
        expires_at = min(now + self.lifetimes.access_handle, grant.expires_at)
        await tx.handles.insert_access(digest(access), Handle(grant.id, scopes, now, expires_at))
        refresh: RawHandle | None = None
        if GrantType.REFRESH_TOKEN in client.metadata.grant_types:
            refresh = new_handle(REFRESH_PREFIX)
            await tx.handles.insert_refresh(
                digest(refresh),
                RefreshHandle(
                    grant_id=grant.id,
                    # RFC 6749 6: a refresh handle keeps the grant's scopes, whatever was narrowed.
                    scopes=grant.scopes,
                    issued_at=now,
                    expires_at=min(now + self.lifetimes.refresh_handle, grant.expires_at),
                    rotated_at=None,
                ),
            )
        # A client that refreshes is in use, however long ago somebody signed in with it.
        await tx.clients.renew(
            client.client_id, now=now, expires_at=now + self.lifetimes.used_client
        )
        return IssuedHandles(access, refresh, int((expires_at - now).total_seconds()), scopes)
