"""What a person has connected: their active grants, each with what is known of its client."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from auth_server.domain.clients import Client
from auth_server.domain.grants import Grant
from auth_server.storage.database import Database
from auth_server.storage.grant_listing import GrantSelection

# Enough for ten clients at the default bound of grants for each; older ones can still be ended.
MOST_LISTED: Final = 200


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """An active grant. `client` is None if its registration has been deleted."""

    grant: Grant
    client: Client | None


@dataclass(frozen=True, slots=True)
class ConnectedApps:
    """The newest MOST_LISTED of them, the newest first; `has_more` if that is not all."""

    listed: tuple[ConnectedApp, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class ListConnectedApps:
    """Reads configuration first, then the database, as resolve_client does."""

    configured: Mapping[str, Client]
    database: Database
    now: Callable[[], datetime]

    async def __call__(self, subject: str) -> ConnectedApps:
        """The person's active grants, nobody else's."""
        async with self.database.reading() as read:
            found = await read.grant_listing.newest(
                GrantSelection(subject=subject),
                with_ended=False,
                now=self.now(),
                limit=MOST_LISTED + 1,
            )
            grants = [one.grant for one in found[:MOST_LISTED]]
            # Also one that has expired: the grant lives, and the name tells whose it is.
            records = await read.clients.records({grant.client_id for grant in grants})
        clients = {client_id: record.client for client_id, record in records.items()}
        clients |= self.configured
        return ConnectedApps(
            tuple(ConnectedApp(grant, clients.get(grant.client_id)) for grant in grants),
            has_more=len(found) > MOST_LISTED,
        )
