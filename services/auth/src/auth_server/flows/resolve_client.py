"""Finds the client behind a client_id: from configuration, or dynamically registered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from auth_server.domain.clients import Client
from auth_server.domain.errors import InvalidClient
from auth_server.storage.database import Database


@dataclass(frozen=True, slots=True)
class ResolveClient:
    """Looks up in configuration first, then in the database."""

    configured: Mapping[str, Client]
    database: Database
    now: Callable[[], datetime]

    async def __call__(self, client_id: str) -> Client:
        """Return the client; raise InvalidClient if it is unknown, deleted, disabled or expired."""
        client = self.configured.get(client_id)
        if client is None:
            async with self.database.reading() as read:
                client = await read.clients.find(client_id, now=self.now())
        if client is None:
            raise InvalidClient("the client is unknown or no longer registered")
        return client
