"""Finds the client behind a client_id: configured, publishing itself, or registered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from auth_server.domain.client_documents import is_document_url
from auth_server.domain.clients import Client
from auth_server.domain.errors import InvalidClient
from auth_server.flows.client_documents import ClientDocuments
from auth_server.storage.database import Database


@dataclass(frozen=True, slots=True)
class ResolveClient:
    """Looks up in configuration first; what it has under a document's URL is never fetched."""

    configured: Mapping[str, Client]
    documents: ClientDocuments
    database: Database
    now: Callable[[], datetime]

    async def __call__(self, client_id: str) -> Client:
        """Return the client; raise InvalidClient if it is unknown, deleted, disabled or expired.

        For the URL of a document also UnusableDocument, an InvalidClient, and
        TemporarilyUnavailable.
        """
        return await self._client(client_id, may_be_new=True)

    async def known(self, client_id: str) -> Client:
        """The same for whoever presents what only a known client can have: a code or a handle.

        Nobody makes this server fetch and store documents at the pace of a token endpoint.
        """
        return await self._client(client_id, may_be_new=False)

    async def _client(self, client_id: str, *, may_be_new: bool) -> Client:
        client = self.configured.get(client_id)
        if client is not None:
            return client
        if is_document_url(client_id):
            return await self.documents.client(client_id, may_be_new=may_be_new)
        async with self.database.reading() as read:
            client = await read.clients.find(client_id, now=self.now())
            if client is None and not may_be_new:
                client = await read.clients.awaited(client_id, now=self.now())
        if client is None:
            raise InvalidClient("the client is unknown or no longer registered")
        return client
