"""The authoritative source of the embedded database, which cannot notify: a poll.

This process tells itself at once what it revokes; the poll finds what the command line has revoked.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from auth_server.domain.revocations import Revocation
from auth_server.storage.database import Database, StorageUnavailable
from auth_server.storage.revocation_feed.listening import Confirm, Hear, SourceLost

POLL_SECONDS: Final = 0.25
# A revocation bears the time before its commit: look back further than a transaction can take.
OVERLAP: Final = timedelta(seconds=10)


class SqliteSource:
    """Looks for grants that have ended, one indexed query a poll."""

    name = "sqlite"

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def listen(self, hear: Hear, confirm: Confirm) -> None:
        """Pass on what is revoked from now on; raise SourceLost at the end."""
        polled_at = self._now()
        known: frozenset[Revocation] | None = None
        while True:
            since, polled_at = min(polled_at, self._now()) - OVERLAP, self._now()
            try:
                async with self._database.reading() as read:
                    revoked = frozenset(await read.revocations.since(since))
            except StorageUnavailable as error:
                raise SourceLost(str(error)) from error
            # What was there at the first look is nobody's news: streams open after it.
            for revocation in revoked - (revoked if known is None else known):
                hear(revocation)
            known = revoked
            confirm()
            await asyncio.sleep(POLL_SECONDS)
