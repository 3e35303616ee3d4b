"""Refreshes a grant's token set at PingOne, one attempt at a time over all replicas.

PingOne revokes every descendant when a rotated refresh token is sent again after its grace. So only
the holder of a lease asks, and an attempt whose outcome is unknown is repeated by a rule:
docs/decisions/0012-when-a-refresh-at-pingone-is-repeated.md.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from uuid import uuid4

import structlog

from auth_server.domain.grants import Grant, RevocationReason
from auth_server.domain.resources import ProtectedResources
from auth_server.domain.upstream_tokens import StoredUpstreamTokens, UpstreamTokens
from auth_server.flows.refresh_times import RefreshTimes
from auth_server.flows.revoke_grant import RevokeGrant
from auth_server.flows.upstream_metrics import UpstreamMetrics
from auth_server.storage.database import Database, StorageUnavailable
from auth_server.upstream.errors import (
    UpstreamAnswerRejected,
    UpstreamRefused,
    UpstreamUnavailable,
)
from auth_server.upstream.pingone import PingOne

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A refresh that holds the lease: of what, for which API, as whom, and since when."""

    grant: Grant
    audience: str
    stored: StoredUpstreamTokens
    owner: str
    began_at: datetime
    started: float
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class RefreshUpstream:
    """One refresh. Its caller sees to it that a process runs one at a time for each grant."""

    database: Database
    pingone: PingOne
    resources: ProtectedResources
    revoke_grant: RevokeGrant
    metrics: UpstreamMetrics
    times: RefreshTimes
    now: Callable[[], datetime]

    async def __call__(self, grant: Grant, stored: StoredUpstreamTokens) -> UpstreamTokens | None:
        """Return what is stored afterwards, by this replica or another; None if the grant ended.

        Raises UpstreamUnavailable, which says for how long everybody leaves PingOne alone.
        """
        # Known before PingOne is asked: nothing that it rotates may be lost for a missing resource.
        audience = self.resources.select([grant.resource]).upstream_audience
        # Before the lease, which is made to outlast the refresh and a fetch of keys, no more.
        await self.pingone.prepare()
        attempt = _Attempt(grant, audience, stored, str(uuid4()), self.now(), _seconds())
        async with self.database.transaction() as tx:
            has_lease = await tx.upstream_tokens.acquire_lease(
                grant.id,
                version=stored.version,
                owner=attempt.owner,
                now=attempt.began_at,
                lease_until=attempt.began_at + self.times.lease,
                repeat_since=self.times.repeat_since(stored.tokens, attempt.began_at),
            )
        if not has_lease:
            return await self._await_other_replica(grant, stored)
        try:
            unverified = await self.pingone.refresh(stored.tokens)
        except UpstreamRefused as error:
            await self._refused(attempt, error)
            return None
        except UpstreamUnavailable as error:
            await self._failed(attempt, error)
            raise
        except UpstreamAnswerRejected as error:
            # An answer that is no token response: whether PingOne rotated is not known.
            failure = UpstreamUnavailable(str(error), is_ambiguous=True)
            await self._failed(attempt, failure)
            raise failure from error
        attempt = replace(attempt, correlation_id=unverified.correlation_id)
        return await self._verify_and_store(attempt, unverified.tokens)

    async def _verify_and_store(
        self, attempt: _Attempt, refreshed: UpstreamTokens
    ) -> UpstreamTokens | None:
        grant = attempt.grant
        try:
            await self.pingone.verify_access_token(
                refreshed, audience=attempt.audience, subject=grant.subject.subject
            )
        except UpstreamAnswerRejected as error:
            _log.error(
                "upstream.answer_rejected",
                grant_id=grant.id,
                reason=str(error),
                correlation_id=attempt.correlation_id,
            )
            await self._reject(attempt, refreshed)
            return None
        except UpstreamUnavailable as error:
            # PingOne has rotated, so its new refresh token must be kept; the access token that was
            # verified before serves for as long as it lives.
            kept = replace(attempt.stored.tokens, refresh_token=refreshed.refresh_token)
            await self._store(attempt, kept, not_before=self.now() + self.times.back_off)
            self._tell_failure(attempt, error, self.times.back_off)
            raise
        return await self._store(attempt, refreshed)

    async def _reject(self, attempt: _Attempt, refreshed: UpstreamTokens) -> None:
        async with self.database.transaction() as tx:
            ended = await self.revoke_grant.within(
                tx, attempt.grant.id, RevocationReason.UPSTREAM_REJECTED
            )
            # Ending the grant revokes the stored set; PingOne has issued this one in its place.
            await self.revoke_grant.revoke_upstream.within(tx, refreshed)
        self.revoke_grant.committed(ended)
        self.metrics.refresh("rejected")

    async def _store(
        self, attempt: _Attempt, tokens: UpstreamTokens, *, not_before: datetime | None = None
    ) -> UpstreamTokens | None:
        """Store what PingOne rotated to, for as long as the lease lasts: it exists only here."""
        deadline = attempt.started + self.times.lease.total_seconds()
        while True:
            try:
                return await self._store_once(attempt, tokens, not_before)
            except StorageUnavailable as error:
                if _seconds() >= deadline:
                    raise
                _log.warning(
                    "upstream.not_stored_yet", grant_id=attempt.grant.id, reason=str(error)
                )
            await asyncio.sleep(self.times.store_again.total_seconds())

    async def _store_once(
        self, attempt: _Attempt, tokens: UpstreamTokens, not_before: datetime | None
    ) -> UpstreamTokens | None:
        grant_id, version = attempt.grant.id, attempt.stored.version
        current: StoredUpstreamTokens | None = None
        async with self.database.transaction() as tx:
            is_stored = await tx.upstream_tokens.store_refreshed(
                grant_id, tokens, version=version, owner=attempt.owner, not_before=not_before
            )
            if not is_stored:
                current = await tx.upstream_tokens.find(grant_id)
                if current is None:
                    await self.revoke_grant.revoke_upstream.within(tx, tokens)
        # An earlier COMMIT whose answer was lost may have come through.
        if is_stored or (current is not None and current.tokens == tokens):
            if not_before is None:
                self._tell_success(attempt)
            return tokens
        # The lease was lost, or the grant ended meanwhile: what is stored now is the truth.
        _log.warning("upstream.lease_lost", grant_id=grant_id)
        self.metrics.refresh("lease_lost")
        self.revoke_grant.revoke_upstream.committed()
        return None if current is None else current.tokens

    async def _refused(self, attempt: _Attempt, error: UpstreamRefused) -> None:
        grant_id = attempt.grant.id
        if error.error == "invalid_grant":
            _log.info("upstream.dead", grant_id=grant_id, reason=str(error))
            await self.revoke_grant(grant_id, RevocationReason.UPSTREAM_DEAD)
            self.metrics.refresh("dead")
            return
        # Our own registration at PingOne is at fault (invalid_client): no reason to end a grant.
        _log.error("upstream.refused", grant_id=grant_id, reason=str(error))
        failure = UpstreamUnavailable(str(error))
        await self._failed(attempt, failure)
        raise failure from error

    async def _failed(self, attempt: _Attempt, error: UpstreamUnavailable) -> None:
        """Keep everybody from asking for a while, and remember what is not known."""
        back_off = self.times.back_off_after(error)
        self._tell_failure(attempt, error, back_off)
        async with self.database.transaction() as tx:
            await tx.upstream_tokens.fail_lease(
                attempt.grant.id,
                owner=attempt.owner,
                until=self.now() + back_off,
                began_at=None if error.is_ambiguous else attempt.began_at,
            )

    async def _await_other_replica(
        self, grant: Grant, stored: StoredUpstreamTokens
    ) -> UpstreamTokens | None:
        """Wait until the lease's holder has stored a newer version, or the grant has ended."""
        # Sooner than the callers give up: none who comes after them may join a wait that is over.
        deadline = _seconds() + 0.9 * self.times.wait.total_seconds()
        while _seconds() < deadline:
            async with self.database.reading() as read:
                current = await read.upstream_tokens.find(grant.id)
            if current is None:
                return None
            if current.version != stored.version:
                return current.tokens
            if not current.is_being_refreshed(self.now()):
                back_off = current.back_off(self.now())
                raise UpstreamUnavailable(
                    "a refresh failed just now, and is not tried again yet",
                    retry_after_seconds=None if back_off is None else in_seconds(back_off),
                )
            await asyncio.sleep(self.times.poll.total_seconds())
        raise UpstreamUnavailable("another replica's refresh takes too long")

    def _tell_success(self, attempt: _Attempt) -> None:
        _log.info(
            "upstream.refreshed",
            grant_id=attempt.grant.id,
            version=attempt.stored.version + 1,
            seconds=round(_seconds() - attempt.started, 3),
            correlation_id=attempt.correlation_id,
        )
        self.metrics.refresh("refreshed")

    def _tell_failure(
        self, attempt: _Attempt, error: UpstreamUnavailable, back_off: timedelta
    ) -> None:
        # Whoever waits for this refresh is told the same as whoever comes after it.
        error.retry_after_seconds = in_seconds(back_off)
        _log.warning(
            "upstream.refresh_failed",
            grant_id=attempt.grant.id,
            reason=str(error),
            is_outcome_known=not error.is_ambiguous,
            retry_in_seconds=error.retry_after_seconds,
        )
        self.metrics.refresh("unavailable")


def in_seconds(duration: timedelta) -> int:
    """For a Retry-After: never sooner than the duration ends."""
    return ceil(duration.total_seconds())


def _seconds() -> float:
    return asyncio.get_running_loop().time()
