"""Pending authorizations: each step is left once, by the browser that began, in time."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Executable, select, update

from auth_server.domain.authorizations import (
    AuthorizationStep,
    PendingAuthorization,
    UpstreamLogin,
)
from auth_server.domain.handles import digest
from auth_server.storage.database import Database
from auth_server.storage.encryption import DecryptionFailed
from auth_server.storage.tables import authorizations

NewPending = Callable[..., PendingAuthorization]
BROWSER = digest("this browser")
OTHER_BROWSER = digest("another browser")
AWAITING_CONSENT = AuthorizationStep.AWAITING_CONSENT
AT_PINGONE = AuthorizationStep.AT_PINGONE
AWAITING_ACCOUNT_CONSENT = AuthorizationStep.AWAITING_ACCOUNT_CONSENT
A_MOMENT = timedelta(microseconds=1)


async def insert(database: Database, pending: PendingAuthorization) -> PendingAuthorization:
    async with database.transaction() as tx:
        await tx.authorizations.insert(pending)
    return pending


def state_of(pending: PendingAuthorization) -> Any:
    assert pending.login is not None
    return pending.login.state_digest


async def test_an_approval_leads_to_pingone_with_its_own_expiry(
    database: Database,
    new_pending: NewPending,
    new_login: Callable[[], UpstreamLogin],
    now: datetime,
) -> None:
    pending, login = await insert(database, new_pending()), new_login()
    until = now + timedelta(minutes=5)
    async with database.transaction() as tx:
        approved = await tx.authorizations.approve(
            pending.id, BROWSER, login, upstream_expires_at=until, now=now
        )
    expected = replace(pending, step=AT_PINGONE, login=login, expires_at=until)
    assert approved == expected
    async with database.transaction() as tx:
        taken = await tx.authorizations.take_at_pingone(login.state_digest, BROWSER, now=now)
    assert taken == expected


@pytest.mark.parametrize("step", [AT_PINGONE, AWAITING_ACCOUNT_CONSENT])
async def test_only_an_awaited_consent_can_be_approved(
    database: Database,
    new_pending: NewPending,
    new_login: Callable[[], UpstreamLogin],
    now: datetime,
    step: AuthorizationStep,
) -> None:
    pending = await insert(database, new_pending(step))
    async with database.transaction() as tx:
        assert (
            await tx.authorizations.approve(
                pending.id, BROWSER, new_login(), upstream_expires_at=pending.expires_at, now=now
            )
            is None
        )


async def test_approval_needs_this_browser_and_is_dead_from_the_expiry_on(
    database: Database,
    new_pending: NewPending,
    new_login: Callable[[], UpstreamLogin],
    now: datetime,
) -> None:
    pending, login = await insert(database, new_pending()), new_login()
    expiry = pending.expires_at
    async with database.transaction() as tx:
        approve = tx.authorizations.approve
        for browser, when in ((OTHER_BROWSER, now), (BROWSER, expiry)):
            assert (
                await approve(pending.id, browser, login, upstream_expires_at=expiry, now=when)
                is None
            )
        assert await approve(
            pending.id, BROWSER, login, upstream_expires_at=expiry, now=expiry - A_MOMENT
        )


@pytest.mark.parametrize(
    ("step", "is_undecided"),
    [(AWAITING_CONSENT, True), (AT_PINGONE, False), (AWAITING_ACCOUNT_CONSENT, True)],
)
async def test_a_refusal_takes_what_awaits_a_decision(
    database: Database,
    new_pending: NewPending,
    now: datetime,
    step: AuthorizationStep,
    is_undecided: bool,
) -> None:
    pending = await insert(database, new_pending(step))
    async with database.transaction() as tx:
        take = tx.authorizations.take_undecided
        assert await take(pending.id, OTHER_BROWSER, now=now) is None
        assert await take(pending.id, BROWSER, now=pending.expires_at) is None
        assert await take(pending.id, BROWSER, now=now) == (pending if is_undecided else None)
        assert await take(pending.id, BROWSER, now=now) is None


@pytest.mark.parametrize(
    ("step", "is_taken"),
    [(AWAITING_CONSENT, False), (AT_PINGONE, False), (AWAITING_ACCOUNT_CONSENT, True)],
)
async def test_a_second_consent_takes_the_account_with_its_tokens(
    database: Database,
    new_pending: NewPending,
    now: datetime,
    step: AuthorizationStep,
    is_taken: bool,
) -> None:
    pending = await insert(database, new_pending(step))
    async with database.transaction() as tx:
        take = tx.authorizations.take_awaiting_account_consent
        assert await take(pending.id, OTHER_BROWSER, now=now) is None
        assert await take(pending.id, BROWSER, now=pending.expires_at) is None
        assert await take(pending.id, BROWSER, now=now) == (pending if is_taken else None)
        assert await take(pending.id, BROWSER, now=now) is None


async def test_a_state_is_spent_once_by_this_browser_in_time(
    database: Database, new_pending: NewPending, now: datetime
) -> None:
    pending = await insert(database, new_pending(AT_PINGONE))
    state = state_of(pending)
    async with database.transaction() as tx:
        take = tx.authorizations.take_at_pingone
        assert await take(digest("another state"), BROWSER, now=now) is None
        assert await take(state, OTHER_BROWSER, now=now) is None
        assert await take(state, BROWSER, now=pending.expires_at) is None
        assert await take(state, BROWSER, now=pending.expires_at - A_MOMENT) == pending
        assert await take(state, BROWSER, now=now) is None


async def test_of_twenty_callbacks_at_once_exactly_one_wins(
    race: Callable[..., Awaitable[list[Any]]],
    database: Database,
    new_pending: NewPending,
    now: datetime,
) -> None:
    pending = await insert(database, new_pending(AT_PINGONE))
    results = await race(
        lambda tx: tx.authorizations.take_at_pingone(state_of(pending), BROWSER, now=now)
    )
    assert [result for result in results if result is not None] == [pending]


async def test_of_approvals_and_refusals_at_once_exactly_one_wins(
    race: Callable[..., Awaitable[list[Any]]],
    database: Database,
    new_pending: NewPending,
    new_login: Callable[[], UpstreamLogin],
    now: datetime,
) -> None:
    pending, login = await insert(database, new_pending()), new_login()
    results = await race(
        lambda tx: tx.authorizations.approve(
            pending.id, BROWSER, login, upstream_expires_at=pending.expires_at, now=now
        ),
        lambda tx: tx.authorizations.take_undecided(pending.id, BROWSER, now=now),
    )
    assert len([result for result in results if result is not None]) == 1


async def test_the_sweep_deletes_what_nobody_finished_in_time(
    database: Database, new_pending: NewPending, now: datetime
) -> None:
    await insert(database, new_pending(expires_at=now))
    await insert(database, new_pending(expires_at=now))
    open_one = await insert(database, new_pending(expires_at=now + A_MOMENT))
    async with database.transaction() as tx:
        assert await tx.authorizations.delete_expired(now=now, limit=1) == 1
        assert await tx.authorizations.delete_expired(now=now, limit=10) == 1
        assert await tx.authorizations.take_undecided(open_one.id, BROWSER, now=now) == open_one


@pytest.mark.parametrize(
    ("column", "other_column"),
    [
        ("code_verifier_encrypted", "nonce_encrypted"),
        ("nonce_encrypted", "code_verifier_encrypted"),
    ],
)
async def test_a_ciphertext_moved_to_another_column_or_row_does_not_open(
    database: Database,
    tamper: Callable[[Executable], Awaitable[None]],
    new_pending: NewPending,
    now: datetime,
    column: str,
    other_column: str,
) -> None:
    victim = await insert(database, new_pending(AT_PINGONE))
    attacker = await insert(database, new_pending(AT_PINGONE))
    source = authorizations.alias()
    for source_id, source_column in ((victim.id, other_column), (attacker.id, column)):
        moved = select(source.c[source_column]).where(source.c.id == source_id).scalar_subquery()
        change = update(authorizations).values({column: moved})
        await tamper(change.where(authorizations.c.id == victim.id))
        with pytest.raises(DecryptionFailed):
            async with database.transaction() as tx:
                await tx.authorizations.take_at_pingone(state_of(victim), BROWSER, now=now)
