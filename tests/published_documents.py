"""What clients publish on the web, for an auth that runs in process."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from auth_server.client_documents.documents import DocumentUnavailable, FetchedDocument


class PublishedDocuments:
    """The web as auth sees it: what clients publish, by URL; `fetched` is what auth asked for."""

    def __init__(self) -> None:
        self.documents: dict[str, FetchedDocument | DocumentUnavailable] = {}
        self.fetched: list[str] = []

    def publish(
        self, url: str, content: Mapping[str, Any], fresh_for: timedelta | None = None
    ) -> None:
        """Put a document where auth can fetch it."""
        self.documents[url] = FetchedDocument(content, fresh_for)

    async def __call__(self, url: str, *, max_bytes: int) -> FetchedDocument:  # noqa: ARG002
        """The FetchDocument of the tests."""
        self.fetched.append(url)
        document = self.documents.get(url, DocumentUnavailable("nothing is published there"))
        if isinstance(document, DocumentUnavailable):
            raise document
        return document
