"""Answers with a grant's PingOne tokens while they live; has them refreshed when that is due."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from auth_server.domain.errors import TemporarilyUnavailable
from auth_server.domain.grants import Grant, RevocationReason
from auth_server.domain.upstream_tokens import StoredUpstreamTokens, UpstreamTokens
from auth_server.flows.refresh_times import RefreshTimes
from auth_server.flows.refresh_upstream import RefreshUpstream, in_seconds
from auth_server.flows.revoke_grant import RevokeGrant
from auth_server.upstream.errors import UpstreamUnavailable
from service_kit.background import BackgroundTasks


@dataclass(frozen=True, slots=True)
class LiveUpstreamTokens:
    """One refresh of a grant at a time in this process; a lease does the same for all replicas."""

    refresh_upstream: RefreshUpstream
    revoke_grant: RevokeGrant
    background: BackgroundTasks
    times: RefreshTimes
    now: Callable[[], datetime]
    _in_flight: dict[str, asyncio.Task[UpstreamTokens | None]] = field(default_factory=dict)

    async def __call__(self, grant: Grant, stored: StoredUpstreamTokens) -> UpstreamTokens | None:
        """Return live tokens; None if PingOne has declared them dead, which ends the grant.

        Raises TemporarilyUnavailable when PingOne's answer is not to be had in time.
        """
        now, tokens = self.now(), stored.tokens
        is_alive = self.times.is_alive(tokens, now)
        if tokens.refresh_token is None:
            if not is_alive:
                await self.revoke_grant(grant.id, RevocationReason.UPSTREAM_DEAD)
            return tokens if is_alive else None
        if is_alive:
            # Nobody waits for a refresh that is merely due: the live token serves.
            repeat_since = self.times.repeat_since(tokens, now)
            is_due = now >= self.times.due_at(tokens, f"{grant.id} {stored.version}")
            if is_due and stored.may_be_refreshed(now, repeat_since=repeat_since):
                self._start(grant, stored)
            return tokens
        if (back_off := stored.back_off(now)) is not None:
            raise _unavailable("the last refresh has failed", in_seconds(back_off))
        return await self._refreshed(grant, stored)

    async def _refreshed(self, grant: Grant, stored: StoredUpstreamTokens) -> UpstreamTokens | None:
        try:
            async with asyncio.timeout(self.times.wait.total_seconds()):
                refreshed = await asyncio.shield(self._start(grant, stored))
        except TimeoutError as error:
            raise _unavailable("the refresh takes too long") from error
        except UpstreamUnavailable as error:
            raise _unavailable(str(error), error.retry_after_seconds) from error
        if refreshed is not None and self.now() >= refreshed.expires_at:
            # Somebody else held the lease and has nothing newer to show yet.
            raise _unavailable("the refresh has not brought a live token")
        return refreshed

    def _start(
        self, grant: Grant, stored: StoredUpstreamTokens
    ) -> asyncio.Task[UpstreamTokens | None]:
        task = self._in_flight.get(grant.id)
        if task is None:
            task = self.background.start(
                self.refresh_upstream(grant, stored),
                name="refresh-upstream",
                expected=(UpstreamUnavailable,),
            )
            self._in_flight[grant.id] = task
            task.add_done_callback(lambda _: self._in_flight.pop(grant.id, None))
        return task


def _unavailable(reason: str, retry_after_seconds: int | None = None) -> TemporarilyUnavailable:
    return TemporarilyUnavailable(
        "PingOne cannot be reached for now; try again later",
        detail=reason,
        retry_after_seconds=retry_after_seconds or 5,
    )
