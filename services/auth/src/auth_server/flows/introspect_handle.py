"""RFC 7662 for resource servers: what an access handle stands for, and the token to call with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from auth_server.domain.grants import Grant
from auth_server.domain.handles import ACCESS_PREFIX, Handle, digest, is_well_formed
from auth_server.domain.resources import ProtectedResource, is_same_resource
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.flows.upstream_tokens import LiveUpstreamTokens
from auth_server.storage.database import Database


@dataclass(frozen=True, slots=True)
class ActiveHandle:
    """An active handle with everything a resource server may know of it."""

    handle: Handle
    grant: Grant
    tokens: UpstreamTokens


@dataclass(frozen=True, slots=True)
class IntrospectHandle:
    """One query, and a refresh at PingOne when one is due."""

    database: Database
    live_upstream_tokens: LiveUpstreamTokens
    now: Callable[[], datetime]

    async def __call__(self, raw_handle: str, resource: ProtectedResource) -> ActiveHandle | None:
        """Return the handle if it is active and meant for this resource; None for every other case.

        An outage is never "inactive": it raises TemporarilyUnavailable or StorageUnavailable.
        """
        if not is_well_formed(raw_handle, ACCESS_PREFIX):
            return None
        async with self.database.reading() as read:
            found = await read.handles.find_active_access(digest(raw_handle), now=self.now())
        if found is None or not is_same_resource(found.grant.resource, resource.identifier):
            return None
        tokens = await self.live_upstream_tokens(found.grant, found.upstream)
        return None if tokens is None else ActiveHandle(found.handle, found.grant, tokens)
