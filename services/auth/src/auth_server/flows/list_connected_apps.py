"""What a person has connected: an app with all of its grants, and what is known of its client."""

from collections import defaultdict
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
    """A client with its active grants, the newest first.

    `client` is None if its registration has been deleted.
    """

    client_id: str
    client: Client | None
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class ConnectedApps:
    """Those of the newest MOST_LISTED grants, the newest first; `has_more` if that is not all."""

    listed: tuple[ConnectedApp, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class ListConnectedApps:
    """Reads configuration first, then the database, as resolve_client does."""

    configured: Mapping[str, Client]
    database: Database
    now: Callable[[], datetime]

    async def __call__(self, subject: str) -> ConnectedApps:
        """The apps with active grants of the person, nobody else's, whose codes were redeemed."""
        async with self.database.reading() as read:
            found = await read.grant_listing.newest(
                GrantSelection(subject=subject),
                with_ended=False,
                with_unredeemed=False,
                now=self.now(),
                limit=MOST_LISTED + 1,
            )
            by_client: dict[str, list[Grant]] = defaultdict(list)
            for one in found[:MOST_LISTED]:
                by_client[one.grant.client_id].append(one.grant)
            # Also one that has expired: the grant lives, and the name tells whose it is.
            records = await read.clients.records(by_client)
        clients = {client_id: record.client for client_id, record in records.items()}
        clients |= self.configured
        return ConnectedApps(
            tuple(
                ConnectedApp(client_id, clients.get(client_id), tuple(grants))
                for client_id, grants in by_client.items()
            ),
            has_more=len(found) > MOST_LISTED,
        )
