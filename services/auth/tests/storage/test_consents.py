"""Remembered consents: per key and subject, growing without lost updates."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from auth_server.domain.consent import ConsentKey, RememberedConsent
from auth_server.domain.handles import digest
from auth_server.storage.database import Database

A_MOMENT = timedelta(microseconds=1)
DAY = timedelta(days=1)
KEY = ConsentKey(
    browser_digest=digest("this browser"),
    client_id="client",
    redirect_uri="https://app.example/" + "x" * 1980,
    resource="https://mcp.example/mcp",
)


@pytest.fixture
def consent(now: datetime) -> RememberedConsent:
    return RememberedConsent(KEY, "user-1", frozenset({"todo_api:read"}), now + DAY)


async def remember(database: Database, *consents: RememberedConsent) -> None:
    async with database.transaction() as tx:
        for consent in consents:
            await tx.consents.remember(consent)


async def find(
    database: Database, now: datetime, key: ConsentKey = KEY
) -> tuple[RememberedConsent, ...]:
    async with database.reading() as tx:
        return await tx.consents.find(key, now=now)


async def test_a_consent_is_remembered_until_it_expires(
    database: Database, consent: RememberedConsent, now: datetime
) -> None:
    await remember(database, consent)
    assert await find(database, now + DAY - A_MOMENT) == (consent,)
    assert await find(database, now + DAY) == ()


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, browser_digest=digest("another browser")),
        replace(KEY, client_id="another"),
        replace(KEY, redirect_uri="https://app.example/other"),
        replace(KEY, resource="https://mcp.example/other"),
        # The same characters, cut elsewhere.
        replace(KEY, client_id="clienth", redirect_uri=KEY.redirect_uri[1:]),
    ],
)
async def test_a_consent_is_remembered_for_exactly_its_key(
    database: Database, consent: RememberedConsent, now: datetime, other: ConsentKey
) -> None:
    await remember(database, consent)
    assert await find(database, now, other) == ()


async def test_each_subject_has_its_own_scopes(
    database: Database, consent: RememberedConsent, now: datetime
) -> None:
    other = replace(consent, subject="user-2", scopes=frozenset({"todo_api:write"}))
    await remember(database, consent, other)
    assert await find(database, now) == (consent, other)


async def test_scopes_add_up_and_are_covered_while_all_of_them_last(
    database: Database, consent: RememberedConsent, now: datetime
) -> None:
    more = replace(consent, scopes=frozenset({"todo_api:write"}), expires_at=now + 2 * DAY)
    await remember(database, consent, more)
    both = frozenset({"todo_api:read", "todo_api:write"})
    assert await find(database, now) == (replace(consent, scopes=both, expires_at=now + DAY),)
    assert await find(database, now + DAY) == (more,)


async def test_consenting_again_renews(
    database: Database, consent: RememberedConsent, now: datetime
) -> None:
    again = replace(consent, expires_at=now + 2 * DAY)
    await remember(database, consent, again)
    assert await find(database, now) == (again,)


async def test_a_consent_to_nothing_is_not_remembered(
    database: Database, consent: RememberedConsent, now: datetime
) -> None:
    await remember(database, replace(consent, scopes=frozenset()))
    assert await find(database, now) == ()


async def test_consents_given_at_once_all_count(
    race: Callable[..., Awaitable[list[Any]]],
    database: Database,
    consent: RememberedConsent,
    now: datetime,
) -> None:
    # Sets of different sizes iterate in different orders; rows locked crosswise are a deadlock.
    scopes = [f"scope:{number}" for number in range(200)]
    consents = [
        replace(consent, scopes=frozenset(scopes[: 10 * number])) for number in range(1, 21)
    ]
    await race(*(lambda tx, one=one: tx.consents.remember(one) for one in consents))
    (found,) = await find(database, now)
    assert found.scopes == frozenset(scopes)


async def test_the_sweep_forgets_what_has_expired(
    database: Database, consent: RememberedConsent, now: datetime
) -> None:
    scopes = frozenset({"a", "b", "c"})
    await remember(
        database,
        replace(consent, scopes=scopes, expires_at=now),
        replace(consent, subject="user-2", scopes=scopes),
    )
    async with database.transaction() as tx:
        assert await tx.consents.delete_expired(now=now, limit=2) == 2
        assert await tx.consents.delete_expired(now=now, limit=2) == 1
        assert await tx.consents.delete_expired(now=now, limit=2) == 0
    assert [found.subject for found in await find(database, now)] == ["user-2"]


async def test_what_a_person_consented_to_is_forgotten_and_nothing_of_anybody_else(
    database: Database, consent: RememberedConsent, now: datetime
) -> None:
    other_browser = replace(KEY, browser_digest=digest("another browser"))
    other_client = replace(KEY, client_id="another")
    mine = [replace(consent, key=key) for key in (KEY, other_browser, other_client)]
    somebody_elses = replace(consent, subject="user-2")
    await remember(database, *mine, somebody_elses)
    async with database.transaction() as tx:
        assert await tx.consents.forget(consent.subject, KEY.client_id)
        assert not await tx.consents.forget(consent.subject, KEY.client_id)
    assert await find(database, now) == (somebody_elses,)
    assert await find(database, now, other_browser) == ()
    assert await find(database, now, other_client) == (mine[2],)


async def test_remembering_and_forgetting_at_once_is_no_deadlock(
    database: Database, consent: RememberedConsent, now: datetime
) -> None:
    many = replace(consent, scopes=frozenset(f"scope:{number}" for number in range(20)))
    await remember(database, many)

    async def forget() -> None:
        async with database.transaction() as tx:
            await tx.consents.forget(consent.subject, KEY.client_id)

    await asyncio.gather(
        *(work() for _ in range(10) for work in (forget, lambda: remember(database, many)))
    )
    found = await find(database, now)
    assert found in ((), (many,))
