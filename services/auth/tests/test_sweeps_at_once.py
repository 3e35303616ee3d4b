"""Sweeps of several replicas at once: they share the work, and nobody waits for anybody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from auth_answers import count_rows
from auth_back_channel import replica_of
from auth_harness import REDIRECT_URI, RESOURCE, AuthUnderTest
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import create_async_engine

from auth_server.domain.consent import ConsentKey, RememberedConsent
from auth_server.domain.handles import digest
from auth_server.flows.sweep_expired import BATCH, SweepExpired
from auth_server.storage.tables import (
    access_handles,
    audit_events,
    authorizations,
    clients,
    codes,
    consents,
    grants,
    refresh_handles,
)

# SQLite has one writer at a time anyway.
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
# Far less than the time-out of a statement.
AT_ONCE_SECONDS = 3.0
# Until when a row of each table is due, after a whole login.
DUE_DAYS = {
    authorizations: 1,
    clients: 1,
    access_handles: 1,
    codes: 2,
    consents: 30,
    refresh_handles: 31,
    grants: 1,
    audit_events: 366,
}


def sweep_of(auth: AuthUnderTest) -> SweepExpired:
    resources = auth.resources
    return SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )


@asynccontextmanager
async def held(database_url: str, table: Table) -> AsyncIterator[int]:
    """Lock every row of a table, as somebody who is changing them does; how many there are."""
    engine = create_async_engine(database_url)
    try:
        async with engine.begin() as connection:
            rows = await connection.execute(select(table.primary_key.columns[0]).with_for_update())
            yield len(rows.all())
    finally:
        await engine.dispose()


@ON_POSTGRESQL
@pytest.mark.parametrize("table", DUE_DAYS, ids=str)
async def test_a_sweep_leaves_rows_that_somebody_holds_for_the_next_one(
    auth: AuthUnderTest, database_url: str, table: Table
) -> None:
    handles = await auth.obtain_handles()
    if table is grants:  # a living one would be ended first, and deleted a day later
        form = {"client_id": auth.client_id, "token": handles["access_token"]}
        assert (await auth.anyone.post("/revoke", data=form)).status_code == 200
    await auth.authorize(auth.new_browser())
    await auth.register()
    auth.clock.advance(days=DUE_DAYS[table])
    async with held(database_url, table) as number:
        async with asyncio.timeout(AT_ONCE_SECONDS):
            await sweep_of(auth).until_clean()
        assert await count_rows(auth, table) >= number > 0
    await sweep_of(auth).until_clean()
    assert await count_rows(auth, table) < number


@ON_POSTGRESQL
async def test_two_sweeps_at_once_take_each_row_once(auth: AuthUnderTest) -> None:
    number = 2 * BATCH + 1
    flood = RememberedConsent(
        key=ConsentKey(digest("a browser"), auth.client_id, REDIRECT_URI, RESOURCE),
        subject="a subject",
        scopes=frozenset(f"scope-{index}" for index in range(number)),
        expires_at=auth.clock(),
    )
    async with auth.resources.database.transaction() as tx:
        await tx.consents.remember(flood)
    for username in ("alice", "bob"):
        await auth.obtain_handles(username=username)
    auth.clock.advance(days=400)
    rows = {table: await count_rows(auth, table) for table in (consents, grants, codes)}
    async with replica_of(auth) as other:
        swept = await asyncio.gather(sweep_of(auth).until_clean(), sweep_of(other).until_clean())
    total = swept[0] + swept[1]
    assert {table: total[table.name] for table in rows} == rows
    for table in rows:
        assert await count_rows(auth, table) == 0, table.name
