"""Keeps a grant's PingOne token set alive: one refresh at a time, over all replicas.

PingOne revokes every descendant when a rotated refresh token is sent again, so a refresh is guarded
twice: by a single flight in this process, and by a lease in the database.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

import structlog

from auth_server.domain.errors import TemporarilyUnavailable
from auth_server.domain.grants import Grant, RevocationReason
from auth_server.domain.resources import ProtectedResources
from auth_server.domain.upstream_tokens import StoredUpstreamTokens, UpstreamTokens
from auth_server.flows.revoke_grant import RevokeGrant
from auth_server.storage.database import Database
from auth_server.upstream.errors import (
    UpstreamAnswerRejected,
    UpstreamRefused,
    UpstreamUnavailable,
)
from auth_server.upstream.pingone import PingOne
from service_kit.background import BackgroundTasks

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RefreshTimes:
    """When a refresh is due, and how long everybody waits.

    `lease` must outlast two HTTP time-outs: the refresh itself and a fetch of PingOne's keys.
    """

    due_before_expiry: timedelta = timedelta(seconds=120)
    jitter: timedelta = timedelta(seconds=60)
    # A token closer to its end than this is not handed out: it would die on its way to the API.
    least_life: timedelta = timedelta(seconds=30)
    lease: timedelta = timedelta(seconds=30)
    wait: timedelta = timedelta(seconds=8)
    poll: timedelta = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True)
class LiveUpstreamTokens:
    """Answers with tokens that live, refreshing them when due."""

    database: Database
    pingone: PingOne
    resources: ProtectedResources
    revoke_grant: RevokeGrant
    background: BackgroundTasks
    times: RefreshTimes
    now: Callable[[], datetime]
    _in_flight: dict[str, asyncio.Task[UpstreamTokens | None]] = field(default_factory=dict)

    async def __call__(self, grant: Grant, stored: StoredUpstreamTokens) -> UpstreamTokens | None:
        """Return live tokens; None if PingOne has declared them dead, which ends the grant.

        Raises TemporarilyUnavailable when PingOne's answer is not to be had in time.
        """
        if not self._is_due(stored.tokens):
            return stored.tokens
        is_alive = self._is_alive(stored.tokens)
        if stored.tokens.refresh_token is None:
            if is_alive:
                return stored.tokens
            await self._end(grant)
            return None
        task = self._in_flight.get(grant.id)
        if task is None:
            task = self.background.start(
                self._refresh(grant, stored),
                name="refresh-upstream",
                expected=(UpstreamUnavailable,),
            )
            self._in_flight[grant.id] = task
            task.add_done_callback(lambda _: self._in_flight.pop(grant.id, None))
        if is_alive:
            # Nobody waits for a refresh that is merely due: the live token serves.
            return stored.tokens
        try:
            async with asyncio.timeout(self.times.wait.total_seconds()):
                refreshed = await asyncio.shield(task)
        except TimeoutError as error:
            raise _unavailable("the refresh takes too long") from error
        except UpstreamUnavailable as error:
            raise _unavailable(str(error), error.retry_after_seconds) from error
        if refreshed is not None and self.now() >= refreshed.expires_at:
            # Somebody else held the lease and has nothing newer to show yet.
            raise _unavailable("the refresh has not brought a live token")
        return refreshed

    def _is_due(self, tokens: UpstreamTokens) -> bool:
        # Jitter spreads the refreshes of logins that happened together.
        jitter = self.times.jitter * random.random()  # noqa: S311  (spreads load, hides nothing)
        return self.now() >= tokens.expires_at - self.times.due_before_expiry - jitter

    def _is_alive(self, tokens: UpstreamTokens) -> bool:
        return self.now() < tokens.expires_at - self.times.least_life

    async def _end(self, grant: Grant) -> None:
        await self.revoke_grant(grant.id, RevocationReason.UPSTREAM_DEAD)

    async def _refresh(self, grant: Grant, stored: StoredUpstreamTokens) -> UpstreamTokens | None:
        owner = str(uuid4())
        # Before the lease, which is made to outlast the refresh and a fetch of keys, no more.
        await self.pingone.prepare()
        async with self.database.transaction() as tx:
            has_lease = await tx.upstream_tokens.acquire_lease(
                grant.id,
                version=stored.version,
                owner=owner,
                now=self.now(),
                lease_until=self.now() + self.times.lease,
            )
        if not has_lease:
            return await self._await_other_replica(grant, stored)
        try:
            refreshed = await self.pingone.refresh(stored.tokens)
        except UpstreamRefused as error:
            await self._refused(grant, owner, error)
            return None
        except UpstreamUnavailable as error:
            await self._failed(grant, owner, error)
            raise
        except UpstreamAnswerRejected as error:
            # An answer that is no token response: whether PingOne rotated is not known.
            failure = UpstreamUnavailable(str(error), is_ambiguous=True)
            await self._failed(grant, owner, failure)
            raise failure from error
        return await self._verify_and_store(grant, stored, refreshed, owner)

    async def _verify_and_store(
        self, grant: Grant, stored: StoredUpstreamTokens, refreshed: UpstreamTokens, owner: str
    ) -> UpstreamTokens | None:
        resource = self.resources.select([grant.resource])
        try:
            await self.pingone.verify_access_token(
                refreshed, audience=resource.upstream_audience, subject=grant.subject.subject
            )
        except UpstreamAnswerRejected as error:
            _log.error("upstream.answer_rejected", grant_id=grant.id, reason=str(error))
            await self.revoke_grant(grant.id, RevocationReason.UPSTREAM_REJECTED)
            # Ending the grant revokes the stored set; PingOne has issued this one in its place.
            self.revoke_grant.revoke_upstream(refreshed)
            return None
        except UpstreamUnavailable:
            # PingOne has rotated, so its new refresh token must be kept; the access token that was
            # verified before serves for as long as it lives.
            kept = replace(stored.tokens, refresh_token=refreshed.refresh_token)
            await self._store(grant, stored, kept, owner)
            raise
        return await self._store(grant, stored, refreshed, owner)

    async def _store(
        self, grant: Grant, stored: StoredUpstreamTokens, refreshed: UpstreamTokens, owner: str
    ) -> UpstreamTokens | None:
        async with self.database.transaction() as tx:
            is_mine = await tx.upstream_tokens.store_refreshed(
                grant.id, refreshed, version=stored.version, owner=owner
            )
            current = None if is_mine else await tx.upstream_tokens.find(grant.id)
        if is_mine:
            return refreshed
        # The lease was lost, or the grant ended meanwhile: what is stored now is the truth.
        _log.warning("upstream.lease_lost", grant_id=grant.id)
        if current is None:
            self.revoke_grant.revoke_upstream(refreshed)
        return None if current is None else current.tokens

    async def _refused(self, grant: Grant, owner: str, error: UpstreamRefused) -> None:
        if error.error == "invalid_grant":
            _log.info("upstream.dead", grant_id=grant.id)
            await self._end(grant)
            return
        # Our own registration at PingOne is at fault (invalid_client): no reason to end a grant.
        _log.error("upstream.refused", grant_id=grant.id, error=error.error)
        failure = UpstreamUnavailable(str(error))
        await self._failed(grant, owner, failure)
        raise failure from error

    async def _failed(self, grant: Grant, owner: str, error: UpstreamUnavailable) -> None:
        _log.warning("upstream.refresh_failed", grant_id=grant.id, reason=str(error))
        if error.is_ambiguous or error.retry_after_seconds is not None:
            # The lease is left to lapse: it keeps everybody from asking again at once.
            async with self.database.transaction() as tx:
                await tx.upstream_tokens.fail_lease(grant.id, owner=owner)
            return
        async with self.database.transaction() as tx:
            await tx.upstream_tokens.release_lease(grant.id, owner=owner)

    async def _await_other_replica(
        self, grant: Grant, stored: StoredUpstreamTokens
    ) -> UpstreamTokens | None:
        """Wait until the lease's holder has stored a newer version, or the grant has ended."""
        deadline = asyncio.get_running_loop().time() + self.times.wait.total_seconds()
        while asyncio.get_running_loop().time() < deadline:
            async with self.database.reading() as read:
                current = await read.upstream_tokens.find(grant.id)
            if current is None:
                return None
            if current.version != stored.version:
                return current.tokens
            if not current.is_being_refreshed:
                raise UpstreamUnavailable("a refresh failed just now, and is not tried again yet")
            await asyncio.sleep(self.times.poll.total_seconds())
        raise UpstreamUnavailable("another replica's refresh takes too long")


def _unavailable(reason: str, retry_after_seconds: int | None = None) -> TemporarilyUnavailable:
    return TemporarilyUnavailable(
        "PingOne cannot be reached for now; try again later",
        detail=reason,
        retry_after_seconds=retry_after_seconds or 5,
    )
