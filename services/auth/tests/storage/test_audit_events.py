"""The audit trail in the database: appended to, read by filter, never changed, swept by age."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Executable, text
from sqlalchemy.exc import DBAPIError

from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent, AuditOutcome
from auth_server.storage.audit_events import AuditFilter
from auth_server.storage.database import Database
from service_kit.client_address import ClientAddress

HOUR = timedelta(hours=1)
EVERYTHING = AuditFilter()
EVENT = AuditEvent(
    AuditAction.GRANT_ENDED,
    AuditActor.CLIENT,
    AuditOutcome.REFUSED,
    subject="a person",
    client_id="a client",
    grant_id="a grant",
    reason="refresh_reuse",
    note="an operator's words: \x1b ✓",
)


async def append(database: Database, now: datetime, *events: AuditEvent) -> None:
    async with database.transaction() as tx:
        for event in events:
            await tx.audit_events.append(event, now=now)


async def grants_of(database: Database, wanted: AuditFilter) -> list[str | None]:
    async with database.reading() as read:
        return [event.grant_id for event in await read.audit_events.newest(wanted, limit=100)]


async def test_an_event_comes_back_as_it_was_recorded(database: Database, now: datetime) -> None:
    await append(database, now, EVENT)
    async with database.reading() as read:
        [found] = await read.audit_events.newest(EVERYTHING, limit=2)
    for member in ("event", "actor", "outcome", "subject", "client_id", "grant_id", "reason"):
        assert getattr(found, member) == getattr(EVENT, member)
    assert (found.note, found.occurred_at, found.address) == (EVENT.note, now, None)


async def test_an_event_is_gone_with_the_transaction_that_it_belongs_to(
    database: Database, now: datetime
) -> None:
    async def fail_later() -> None:
        async with database.transaction() as tx:
            await tx.audit_events.append(EVENT, now=now)
            raise RuntimeError("something else failed")

    with pytest.raises(RuntimeError, match="something else"):
        await fail_later()
    assert await grants_of(database, EVERYTHING) == []


@pytest.mark.parametrize("actor", AuditActor)
async def test_only_who_acts_over_the_network_has_the_address_of_the_request(
    database: Database, now: datetime, actor: AuditActor
) -> None:
    async def app(*_: object) -> None:
        await append(database, now, replace(EVENT, actor=actor))

    async def ignore(*_: object) -> dict[str, str]:
        return {}

    scope = {"type": "http", "headers": [], "client": ("192.0.2.1", 4711)}
    await ClientAddress(app, ())(scope, ignore, ignore)  # type: ignore[arg-type]
    async with database.reading() as read:
        [found] = await read.audit_events.newest(EVERYTHING, limit=1)
    acts_over_the_network = actor in {AuditActor.CLIENT, AuditActor.PERSON}
    assert found.address == ("192.0.2.1" if acts_over_the_network else None)


async def test_events_are_found_by_time_kind_grant_client_and_person(
    database: Database, now: datetime
) -> None:
    first = replace(EVENT, grant_id="1", client_id="c1", subject="s1")
    second = replace(EVENT, grant_id="2", event=AuditAction.GRANT_CREATED)
    third = replace(EVENT, grant_id="3", client_id=None, subject=None)
    for hours, event in enumerate((first, second, third)):
        await append(database, now + hours * HOUR, event)
    assert await grants_of(database, EVERYTHING) == ["1", "2", "3"]
    assert await grants_of(database, AuditFilter(since=now + HOUR)) == ["2", "3"]
    assert await grants_of(database, AuditFilter(until=now + HOUR)) == ["1"]
    assert await grants_of(database, AuditFilter(event="grant_created")) == ["2"]
    assert await grants_of(database, AuditFilter(grant_id="3")) == ["3"]
    assert await grants_of(database, AuditFilter(client_id="c1")) == ["1"]
    assert await grants_of(database, AuditFilter(subject="a person")) == ["2"]
    assert await grants_of(database, AuditFilter(subject="s1", grant_id="2")) == []


async def test_pages_follow_each_other_without_gap_or_repetition(
    database: Database, now: datetime
) -> None:
    await append(database, now, *(replace(EVENT, grant_id=str(one)) for one in range(5)))
    pages: list[list[str | None]] = []
    page_end = 0
    async with database.reading() as read:
        last_id = await read.audit_events.last_id()
        await append(database, now, replace(EVENT, grant_id="later"))
        while page := await read.audit_events.page(
            EVERYTHING, after_id=page_end, up_to_id=last_id, limit=2
        ):
            pages.append([event.grant_id for event in page])
            page_end = page[-1].id
        newest = await read.audit_events.newest(EVERYTHING, limit=2)
    assert pages == [["0", "1"], ["2", "3"], ["4"]]
    assert [event.grant_id for event in newest] == ["4", "later"]


async def test_nobody_changes_what_was_recorded(
    database: Database,
    tamper: Callable[[Executable], Awaitable[None]],
    now: datetime,
) -> None:
    await append(database, now, EVENT)
    with pytest.raises(DBAPIError, match="append-only"):
        await tamper(text("UPDATE audit_events SET actor = 'system'"))
    async with database.reading() as read:
        [found] = await read.audit_events.newest(EVERYTHING, limit=1)
    assert found.actor == "client"


async def test_the_oldest_events_are_deleted_in_bites_and_their_ids_do_not_return(
    database: Database, now: datetime
) -> None:
    await append(database, now, EVENT, EVENT, EVENT)
    await append(database, now + HOUR, replace(EVENT, grant_id="kept"))
    async with database.transaction() as tx:
        assert await tx.audit_events.delete_before(now, limit=10) == 0
        assert await tx.audit_events.delete_before(now + HOUR, limit=2) == 2
        assert await tx.audit_events.delete_before(now + HOUR, limit=2) == 1
        assert await tx.audit_events.delete_before(now + HOUR, limit=2) == 0
    assert await grants_of(database, EVERYTHING) == ["kept"]
    async with database.transaction() as tx:
        last_id = await tx.audit_events.last_id()
        assert await tx.audit_events.delete_before(now + 2 * HOUR, limit=2) == 1
        assert await tx.audit_events.last_id() == 0
        await tx.audit_events.append(EVENT, now=now)
        assert await tx.audit_events.last_id() > last_id
