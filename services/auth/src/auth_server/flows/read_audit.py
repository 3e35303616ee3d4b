"""Reads the audit trail: a span of it with bounded memory, or what comes while it grows."""

from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from auth_server.domain.audit import RecordedEvent
from auth_server.storage.audit_events import AuditFilter
from auth_server.storage.database import Database

PAGE: Final = 500
# An event gets its id before its transaction commits, so it may appear after one with a higher id.
# No transaction takes longer than this.
SETTLED_SECONDS: Final = 30.0


async def audit_pages(
    database: Database, wanted: AuditFilter
) -> AsyncIterator[tuple[RecordedEvent, ...]]:
    """Everything wanted up to now, a page at a time, in the order of the ids."""
    async with database.reading() as read:
        last_id = await read.audit_events.last_id()
    page_end = 0
    while page_end < last_id:
        # No connection is held while the page is written: its reader may be slow.
        async with database.reading() as read:
            page = await read.audit_events.page(
                wanted, after_id=page_end, up_to_id=last_id, limit=PAGE
            )
        if not page:
            return
        page_end = page[-1].id
        yield page


@dataclass(slots=True)
class FollowAudit:
    """Gives each new event once; remembers the ids of the last SETTLED_SECONDS."""

    database: Database
    wanted: AuditFilter
    monotonic: Callable[[], float]
    _settled_id: int = field(default=0, init=False)
    _given: set[int] = field(default_factory=set, init=False)
    _marks: deque[tuple[float, int]] = field(default_factory=deque, init=False)

    async def start(self, *, last: int) -> tuple[RecordedEvent, ...]:
        """The last events so far; everything that is there now counts as given."""
        async with self.database.reading() as read:
            last_id = await read.audit_events.last_id()
            found = await read.audit_events.newest(self.wanted, limit=max(last, PAGE))
        self._settled_id = max(0, last_id - PAGE)
        self._given = {event.id for event in found if event.id > self._settled_id}
        return found[-last:]

    async def new(self) -> tuple[RecordedEvent, ...]:
        """What has become visible since, in the order of the ids; PAGE or more, if there is more.

        The rest of a flood comes with the next call.
        """
        new: list[RecordedEvent] = []
        page_end = self._settled_id
        async with self.database.reading() as read:
            last_id = await read.audit_events.last_id()
            while page_end < last_id and len(new) < PAGE:
                page = await read.audit_events.page(
                    self.wanted, after_id=page_end, up_to_id=last_id, limit=PAGE
                )
                new += (event for event in page if event.id not in self._given)
                page_end = page[-1].id if len(page) == PAGE else last_id
        self._given.update(event.id for event in new)
        if page_end >= last_id:
            self._settle(last_id)
        return tuple(new)

    def _settle(self, last_id: int) -> None:
        """What was the last id SETTLED_SECONDS ago has nothing before it that is still to come."""
        now = self.monotonic()
        self._marks.append((now, last_id))
        while self._marks[0][0] <= now - SETTLED_SECONDS:
            self._settled_id = self._marks.popleft()[1]
        self._given = {one for one in self._given if one > self._settled_id}
