"""What clients publish on the web, for an auth that runs in process."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from auth_server.client_documents.documents import DocumentUnavailable, FetchedDocument

CLIENT_URL = "https://claude.example/oauth/claude-code-client-metadata"
# As a real client publishes it: addresses without a port, grants that no server here knows.
CLIENT_DOCUMENT: Mapping[str, Any] = {
    "client_id": CLIENT_URL,
    "client_name": "Claude Code",
    "client_uri": "https://claude.example",
    "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
    "grant_types": [
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:device_code",
    ],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "software_id": "ignored",
}


class PublishedDocuments:
    """The web as auth sees it: what clients publish, by URL; `fetched` is what auth asked for.

    `before_answering` may hold an answer back.
    """

    def __init__(self) -> None:
        self.documents: dict[str, FetchedDocument | DocumentUnavailable] = {}
        self.fetched: list[str] = []
        self.before_answering: Callable[[], Awaitable[None]] | None = None

    def publish(
        self, url: str, content: Mapping[str, Any], fresh_for: timedelta | None = None
    ) -> None:
        """Put a document where auth can fetch it."""
        self.documents[url] = FetchedDocument(content, fresh_for)

    def publish_client(self, fresh_for: timedelta | None = None, **changes: Any) -> None:
        """Publish CLIENT_DOCUMENT, changed as told, at the URL that is its client_id."""
        document = {**CLIENT_DOCUMENT, **changes}
        self.publish(document["client_id"], document, fresh_for)

    async def __call__(self, url: str, *, max_bytes: int) -> FetchedDocument:  # noqa: ARG002
        """The FetchDocument of the tests."""
        self.fetched.append(url)
        if self.before_answering is not None:
            await self.before_answering()
        document = self.documents.get(url, DocumentUnavailable("nothing is published there"))
        if isinstance(document, DocumentUnavailable):
            raise document
        return document
