"""Makes an access handle and, if the client uses them, a refresh handle; stores their digests."""

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
    NewHandles,
    RefreshHandle,
    digest,
    new_handle,
)
from auth_server.domain.lifetimes import Lifetimes
from auth_server.domain.scopes import Scopes
from auth_server.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class IssueHandles:
    """The only place where handles are made; none outlives its grant."""

    lifetimes: Lifetimes
    now: Callable[[], datetime]

    async def __call__(
        self, tx: Transaction, client: Client, grant: Grant, scopes: Scopes
    ) -> IssuedHandles:
        """Make handles for these scopes and store them."""
        now = self.now()
        new = self.make(client, grant, scopes, now)
        await self.store(tx, grant, new, now)
        return new.issued(now)

    def make(self, client: Client, grant: Grant, scopes: Scopes, now: datetime) -> NewHandles:
        """Make handles that nobody knows of yet."""
        refreshes = GrantType.REFRESH_TOKEN in client.metadata.grant_types
        return NewHandles(
            access=new_handle(ACCESS_PREFIX),
            refresh=new_handle(REFRESH_PREFIX) if refreshes else None,
            expires_at=min(now + self.lifetimes.access_handle, grant.expires_at),
            scopes=scopes,
        )

    async def store(self, tx: Transaction, grant: Grant, new: NewHandles, now: datetime) -> None:
        """Store the digests of handles just made; the grant and its client are in use by that."""
        access = Handle(grant.id, new.scopes, issued_at=now, expires_at=new.expires_at)
        await tx.handles.insert_access(digest(new.access), access)
        if new.refresh is not None:
            refresh = RefreshHandle(
                grant_id=grant.id,
                # RFC 6749 6: a refresh handle keeps the grant's scopes, whatever was narrowed.
                scopes=grant.scopes,
                issued_at=now,
                expires_at=min(now + self.lifetimes.refresh_handle, grant.expires_at),
                rotated_at=None,
            )
            await tx.handles.insert_refresh(digest(new.refresh), refresh)
        await tx.grants.touch(grant.id, now=now)
        # A client that refreshes is in use, however long ago somebody signed in with it.
        await tx.clients.renew(
            grant.client_id, now=now, expires_at=now + self.lifetimes.used_client
        )
