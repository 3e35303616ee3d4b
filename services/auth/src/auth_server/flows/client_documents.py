"""Clients that publish themselves: their documents, fetched, kept and asked for again.

A document's host is no part of a login that it has been read for: a copy serves until it is stale,
and the last good one for as long as the host has nothing better. No transaction is open while a
host is asked.

Strangers choose what is fetched for the first time, and so how long that takes. The copies of
clients that people use are refreshed beside it, in places that no stranger can take: or a redirect
URI that its publisher has withdrawn would serve for as long as a stranger likes.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn

import structlog

from auth_server.client_documents.documents import DocumentUnavailable, FetchDocument
from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent
from auth_server.domain.client_documents import (
    MAX_DOCUMENT_BYTES,
    SHORTEST_FRESHNESS,
    bounded_freshness,
    changed_members,
    document_host,
    parse_client_document,
)
from auth_server.domain.clients import Client, ClientMetadata, ClientOrigin, SeenFrom
from auth_server.domain.document_hosts import DocumentHosts
from auth_server.domain.errors import (
    InvalidClient,
    OAuthError,
    TemporarilyUnavailable,
    UnusableDocument,
)
from auth_server.domain.lifetimes import Lifetimes
from auth_server.flows.document_metrics import DocumentMetrics
from auth_server.flows.recent_failures import RecentFailures
from auth_server.storage.clients import ClientRecord
from auth_server.storage.database import Database, StorageUnavailable, Transaction
from auth_server.storage.grant_listing import GrantSelection
from service_kit.background import BackgroundTasks

# For copies in use. A slow host holds one of these for five seconds in SHORTEST_FRESHNESS: it takes
# hundreds of clients, each with a sign-on at PingOne, to hold all of them all the time.
MOST_REFRESHES: Final = 8
# For whatever else is named: clients without a copy, or with one that nobody has signed on with.
MOST_NEWCOMERS: Final = 24
MOST_NEWCOMERS_PER_HOST: Final = 4
MOST_AT_ONCE: Final = MOST_REFRESHES + MOST_NEWCOMERS

# The same whatever the reason: or strangers would learn what this server can see of its network.
_NOT_FETCHED: Final = "the document that describes this application could not be fetched"
_INVALID: Final = "the document that describes this application is not valid"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DocumentRules:
    """What an operator decides about documents."""

    are_fetched: bool
    hosts: DocumentHosts
    private_use_schemes: frozenset[str]
    ceiling: int


@dataclass(frozen=True, slots=True)
class _Fetch:
    task: asyncio.Task[Client]
    host: str
    is_refresh: bool


class ClientDocuments:
    """The clients of one process that are known by a document; opened once, for all requests."""

    def __init__(
        self,
        *,
        database: Database,
        fetch: FetchDocument,
        background: BackgroundTasks,
        metrics: DocumentMetrics,
        rules: DocumentRules,
        lifetimes: Lifetimes,
        seen_from: Callable[[], SeenFrom],
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._database = database
        self._fetch = fetch
        self._background = background
        self._metrics = metrics
        self._rules = rules
        self._lifetimes = lifetimes
        self._seen_from = seen_from
        self._now = now
        self._under_way: dict[str, _Fetch] = {}
        self._failures = RecentFailures(monotonic)

    async def client(self, client_id: str, *, may_be_new: bool = True) -> Client:
        """The client of a document's URL; only if it may be new, one without copy or grant here.

        Raises InvalidClient, UnusableDocument or, when too many documents are being fetched,
        TemporarilyUnavailable.
        """
        if not self._rules.are_fetched or not self._rules.hosts.allows(_host(client_id)):
            raise InvalidClient("the client is unknown", detail="documents of this host are off")
        async with self._database.reading() as read:
            record = await read.clients.record(client_id)
            is_strange = record is None and not (
                may_be_new or await self._is_granted(read, client_id)
            )
        if is_strange:
            raise InvalidClient("the client is unknown", detail="it has neither a copy nor a grant")
        if record is not None and record.disabled_at is not None:
            raise InvalidClient("the client is unknown", detail="the client is disabled")
        now = self._now()
        if record is not None and now >= record.expires_at:
            record = None  # as unknown as one that the sweep has deleted
        if record is not None and record.is_fresh(now):
            return record.client
        try:
            return await self._fetched_once(client_id, record)
        except (UnusableDocument, TemporarilyUnavailable):
            if record is None:
                raise
            return record.client

    async def _is_granted(self, read: Transaction, client_id: str) -> bool:
        """True for a client that made room for others while somebody signed in with it."""
        selection = GrantSelection(client_id=client_id)
        return bool(await read.grant_listing.active(selection, now=self._now(), limit=1))

    async def _fetched_once(self, client_id: str, record: ClientRecord | None) -> Client:
        """Join the fetch that is under way, or start one; it belongs to no request."""
        fetch = self._under_way.get(client_id)
        if fetch is None:
            self._failures.raise_again(client_id)
            host, is_refresh = _host(client_id), record is not None and record.is_used
            if not self._has_place(host, is_refresh=is_refresh):
                self._metrics.fetch("busy")
                raise TemporarilyUnavailable(
                    "too many applications are being looked up; try again in a moment"
                )
            task = self._background.start(
                self._fetch_and_keep(client_id, record),
                name="client-document",
                expected=(OAuthError, StorageUnavailable),
            )
            fetch = self._under_way[client_id] = _Fetch(task, host, is_refresh)
            task.add_done_callback(lambda _: self._under_way.pop(client_id))
        return await asyncio.shield(fetch.task)

    def _has_place(self, host: str, *, is_refresh: bool) -> bool:
        hosts = [one.host for one in self._under_way.values() if one.is_refresh is is_refresh]
        if is_refresh:
            return len(hosts) < MOST_REFRESHES
        return len(hosts) < MOST_NEWCOMERS and hosts.count(host) < MOST_NEWCOMERS_PER_HOST

    async def _fetch_and_keep(self, client_id: str, record: ClientRecord | None) -> Client:
        try:
            fetched = await self._fetch(client_id, max_bytes=MAX_DOCUMENT_BYTES)
        except DocumentUnavailable as error:
            await self._failed(client_id, record, "unavailable", _NOT_FETCHED, str(error))
        try:
            metadata = self._parse(client_id, fetched.content)
        except OAuthError as error:
            wrong = error.description
            await self._failed(client_id, record, "invalid", f"{_INVALID}: {wrong}", wrong)
        client = Client(client_id, metadata, ClientOrigin.METADATA_DOCUMENT, self._now())
        kept = await self._keep(client, record, self._now() + bounded_freshness(fetched.fresh_for))
        if kept is None:
            raise InvalidClient("the client is unknown", detail="the client is disabled")
        self._metrics.fetch("fetched")
        if record is not None and (
            changed := changed_members(record.client.metadata, kept.metadata)
        ):
            _log.info("client_document.changed", client_id=client_id, members=changed)
        return kept

    def _parse(self, client_id: str, content: Mapping[str, Any]) -> ClientMetadata:
        return parse_client_document(client_id, content, self._rules.private_use_schemes)

    async def _keep(
        self, client: Client, record: ClientRecord | None, fresh_until: datetime
    ) -> Client | None:
        """Store the copy; None if an operator has disabled the client meanwhile."""
        now = self._now()
        if record is None:
            # By itself: to hold these rows and to wait for the client's, crosswise, is a deadlock.
            async with self._database.transaction() as tx:
                await tx.clients.make_room(client.origin, ceiling=self._rules.ceiling)
        async with self._database.transaction() as tx:
            kept = await tx.clients.put_document(
                client,
                fresh_until=fresh_until,
                expires_at=now + self._lifetimes.unused_client,
                # The task of the fetch has the address of the request that started it.
                seen_from=self._seen_from(),
            )
            if record is None and kept is not None:
                await tx.audit_events.append(
                    AuditEvent(
                        AuditAction.CLIENT_REGISTERED, AuditActor.CLIENT, client_id=client.client_id
                    ),
                    now=now,
                )
        return kept

    async def _failed(
        self,
        client_id: str,
        record: ClientRecord | None,
        outcome: str,
        description: str,
        detail: str,
    ) -> NoReturn:
        self._metrics.fetch(outcome)
        _log.warning(
            "client_document.unusable", client_id=client_id, outcome=outcome, reason=detail
        )
        if record is not None:
            # For all replicas: who has a copy that serves asks again after a pause.
            async with self._database.transaction() as tx:
                await tx.clients.postpone_document(
                    client_id, fresh_until=self._now() + SHORTEST_FRESHNESS
                )
        failure = UnusableDocument(description, detail=detail)
        self._failures.remember(client_id, failure)
        raise failure


def _host(client_id: str) -> str:
    return document_host(client_id) or ""
